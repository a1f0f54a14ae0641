#include "backends/registry.hpp"

#include "backends/alerts/backend.hpp"
#include "backends/approvals/backend.hpp"
#include "backends/dns/backend.hpp"
#include "backends/kubernetes/backend.hpp"
#include "backends/landlock/backend.hpp"
#include "backends/nftables/backend.hpp"
#include "backends/oci/backend.hpp"
#include "backends/podman/backend.hpp"
#include "backends/seccomp/backend.hpp"

namespace agp::backends {
namespace {

std::vector<const Backend*>& list() {
  static std::vector<const Backend*> all = {&seccomp::backend(),       &landlock::backend(),   &nftables::backend(),
                                            &dns::backend(),           &oci::backend(),        &podman::backend(),
                                            &podman::docker_backend(), &kubernetes::backend(), &approvals::backend(),
                                            &alerts::backend()};
  return all;
}

}  // namespace

std::span<const Backend* const> all() { return list(); }

Registration::Registration(const Backend& backend) { list().push_back(&backend); }

}  // namespace agp::backends
