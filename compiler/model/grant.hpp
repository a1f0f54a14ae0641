#pragma once
#include <string>

#include "compiler/model/action.hpp"

namespace agp::model {

/// Does a derived grant, as reports write it, include the action? `read, list "/proc/**" except "/proc/kcore"`: verbs,
/// then quoted paths; the first is granted, those behind `except` are what covers it up.
bool covers(const std::string& grant, const FileAction& action);

}  // namespace agp::model
