#include "backends/alerts/backend.hpp"
#include "backends/approvals/backend.hpp"
#include "backends/dns/backend.hpp"
#include "backends/landlock/backend.hpp"
#include "backends/nftables/backend.hpp"
#include "backends/oci/backend.hpp"
#include "backends/seccomp/backend.hpp"

namespace agp::backends {

std::span<const Backend* const> all() {
  static const Backend* const list[] = {&seccomp::backend(), &landlock::backend(), &nftables::backend(),
                                        &dns::backend(),     &oci::backend(),      &approvals::backend(),
                                        &alerts::backend()};
  return list;
}

}  // namespace agp::backends
