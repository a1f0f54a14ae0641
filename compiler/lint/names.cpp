#include "compiler/lint/names.hpp"

#include <algorithm>

namespace agp::lint {

namespace {

// Registries' second levels, from the Public Suffix List; a single label is a top-level domain and needs no line.
constexpr std::string_view suffixes[] = {"ac.uk",  "co.uk", "gov.uk", "org.uk", "com.au", "net.au", "org.au", "co.jp",
                                         "ne.jp",  "or.jp", "co.nz",  "co.za",  "com.br", "com.cn", "com.tr", "com.mx",
                                         "com.ar", "co.in", "co.kr",  "co.il",  "com.sg", "com.tw", "com.hk", "eu.org"};

// What a customer of the provider gets a name under (their documentation; the private part of the Public Suffix List).
constexpr std::string_view tenants[] = {"amazonaws.com",
                                        "s3.amazonaws.com",
                                        "cloudfront.net",
                                        "awsapps.com",
                                        "elasticbeanstalk.com",
                                        "windows.net",
                                        "core.windows.net",
                                        "blob.core.windows.net",
                                        "azurewebsites.net",
                                        "azureedge.net",
                                        "azurefd.net",
                                        "cloudapp.net",
                                        "googleapis.com",
                                        "storage.googleapis.com",
                                        "appspot.com",
                                        "web.app",
                                        "firebaseapp.com",
                                        "firebaseio.com",
                                        "run.app",
                                        "cloudfunctions.net",
                                        "github.io",
                                        "githubusercontent.com",
                                        "gitlab.io",
                                        "workers.dev",
                                        "pages.dev",
                                        "r2.dev",
                                        "r2.cloudflarestorage.com",
                                        "vercel.app",
                                        "now.sh",
                                        "netlify.app",
                                        "herokuapp.com",
                                        "fly.dev",
                                        "onrender.com",
                                        "railway.app",
                                        "ngrok.io",
                                        "ngrok.app",
                                        "ngrok-free.app",
                                        "trycloudflare.com",
                                        "loca.lt",
                                        "fastly.net",
                                        "akamaized.net",
                                        "b-cdn.net",
                                        "digitaloceanspaces.com",
                                        "ondigitalocean.app",
                                        "backblazeb2.com",
                                        "blogspot.com",
                                        "surge.sh",
                                        "repl.co",
                                        "replit.app",
                                        "glitch.me",
                                        "deno.dev",
                                        "hf.space",
                                        "oraclecloud.com"};
constexpr std::string_view shared_hosts[] = {"unpkg.com",
                                             "cdn.jsdelivr.net",
                                             "esm.sh",
                                             "raw.githubusercontent.com",
                                             "gist.githubusercontent.com",
                                             "pastebin.com",
                                             "paste.debian.net",
                                             "0x0.st",
                                             "transfer.sh",
                                             "webhook.site",
                                             "file.io",
                                             "termbin.com",
                                             "ix.io",
                                             "storage.googleapis.com",
                                             "s3.amazonaws.com"};
constexpr std::string_view forges[] = {"github.com",     "api.github.com",   "gist.github.com", "uploads.github.com",
                                       "gitlab.com",     "bitbucket.org",    "codeberg.org",    "git.sr.ht",
                                       "huggingface.co", "api.bitbucket.org"};

bool in(std::string_view name, auto&& list) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// The wildcard `*.name` has every name that ends so.
bool takes_in(const model::NamePattern& n, std::string_view host) {
  return n.beneath
             ? host.size() > n.name.size() && host.ends_with(n.name) && host[host.size() - n.name.size() - 1] == '.'
             : n.name == host;
}

}  // namespace

NameRisk risk_of(const model::NamePattern& n) {
  if (n.beneath && (n.name.find('.') == std::string::npos || in(n.name, suffixes))) return NameRisk::PublicSuffix;
  if (n.beneath && in(n.name, tenants)) return NameRisk::Shared;
  // Each service and region of this provider has a domain of its own with names for everybody.
  if (n.beneath && n.name.ends_with(".amazonaws.com")) return NameRisk::Shared;
  const auto has = [&](auto&& list) {
    return std::any_of(std::begin(list), std::end(list), [&](std::string_view host) { return takes_in(n, host); });
  };
  if (has(shared_hosts)) return NameRisk::Shared;
  return has(forges) ? NameRisk::Forge : NameRisk::None;
}

}  // namespace agp::lint
