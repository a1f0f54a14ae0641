#include "compiler/cli/new_kinds.hpp"

// What each kind of agent starts from. The texts are parts of a policy; whatever its layout, `agp new` puts it into the
// canonical one.
namespace agp::cli {
namespace {

constexpr std::string_view mcp_gap = "accept unenforced tool because \"the MCP gateway loads approvals.json\"\n";

constexpr KindRow kinds_known[] = {
    {.name = "coding",
     .doc = "Changes a project's code, runs its tools, commits.",
     .module = "std.agent.coding",
     .arguments = "",
     .workspace = "checkout",
     .flags = " runtime model forge resolver mirror within workspace ",
     .needs = "",
     .example = "",
     .program = "/agent",
     .command = "<run>",
     .blocks = "file { allow read, write \"/tmp/**\" }\n"
               "syscall { allow @default\n deny @debug, @keyring, @mount kill }\n"
               "env { set \"PATH\" = \"/usr/bin:/bin\"\n set \"HOME\" = \"/tmp\" }\n",
     .limits = "cpu 4\n time 1 h\n",
     .mounts = "mount \"<workspace>\" at \"/workspace\" writable\n"
               "mount tmpfs at \"/tmp\" writable size 512 MiB\n",
     .accepts = "accept narrower write \"/workspace/.git/hooks/**\" because \"Git never renames .git\"\n"
                "accept narrower write \"/workspace/.git/config\" because \"Git never renames .git\"\n",
     .tests = "allow write \"/workspace/src/main.c\"\n"
              "deny write \"/workspace/.git/hooks/pre-commit\"\n"
              "deny read \"/root/.ssh/id_ed25519\"\n"
              "deny connect tcp 169.254.169.254:80\n"
              "deny syscall mount\n"},
    {.name = "reviewer",
     .doc = "Reads a change and writes a report.",
     .module = "std.agent.reviewer",
     .arguments = "",
     .workspace = "change",
     .flags = " runtime model forge resolver workspace ",
     .needs = "",
     .example = "",
     .program = "/agent",
     .command = "<run>",
     .blocks = "syscall { allow @default\n deny @debug, @keyring, @mount kill }\n"
               "env { set \"PATH\" = \"/usr/bin:/bin\" }\n",
     .limits = "cpu 2\n time 20 min\n",
     .mounts = "mount \"<workspace>\" at \"/workspace\" readonly\n"
               "mount \"/srv/agents/<name>/report\" at \"/report\" writable\n",
     .accepts = "",
     .tests = "allow read \"/workspace/src/main.c\"\n"
              "deny write \"/workspace/src/main.c\"\n"
              "allow write \"/report/review.md\"\n"
              "deny read \"/root/.ssh/id_ed25519\"\n"},
    {.name = "research",
     .doc = "Reads the web through a proxy and keeps notes.",
     .module = "std.agent.research",
     .arguments = "(proxy: <proxy>)",
     .workspace = "notes",
     .flags = " runtime proxy workspace ",
     .needs = "proxy",
     .example = "10.0.3.10",
     .program = "/agent",
     .command = "<run>",
     .blocks = "syscall { allow @default\n deny @debug, @keyring, @mount kill }\n"
               "env { set \"HTTPS_PROXY\" = \"http://<proxy-url>:3128\"\n"
               "set \"HTTP_PROXY\" = \"http://<proxy-url>:3128\" }\n",
     .limits = "cpu 2\n time 30 min\n",
     .mounts = "mount \"<workspace>\" at \"/notes\" writable\n",
     .accepts = "",
     .tests = "allow connect tcp <proxy>:3128\n"
              "deny connect tcp <proxy>:22\n"
              "deny connect tcp 169.254.169.254:80\n"
              "allow write \"/notes/summary.md\"\n"},
    {.name = "data-analysis",
     .doc = "Computes on data that must not leave: no network at all.",
     .module = "std.agent.data-analysis",
     .arguments = "",
     .workspace = "data",
     .flags = " workspace ",
     .needs = "",
     .example = "",
     .program = "/task",
     .command = "\"/usr/bin/python3.11\", \"-I\", \"/task/main.py\"",
     .blocks = "syscall { allow @default except @aio, @network-io\n"
               "allow socketpair(domain == AF_UNIX), sendto, recvfrom, sendmsg, recvmsg, shutdown\n"
               "deny @debug kill }\n"
               "env { set \"TMPDIR\" = \"/results\" }\n",
     .limits = "cpu 4\n time 2 h\n",
     .mounts = "mount \"<workspace>\" at \"/data\" readonly\n"
               "mount \"/srv/agents/<name>/results\" at \"/results\" writable\n"
               "mount tmpfs at \"/dev/shm\" writable size 1 GiB\n",
     .accepts = "",
     .tests = "allow read \"/data/table.csv\"\n"
              "deny write \"/data/table.csv\"\n"
              "allow write \"/results/table.csv\"\n"
              "deny connect tcp 10.0.0.1:443\n"},
    {.name = "browser",
     .doc = "Opens pages in a headless Chromium, through a proxy.",
     .module = "std.agent.browser",
     .arguments = "(proxy: <proxy>)",
     .workspace = "pages",
     .flags = " proxy workspace ",
     .needs = "proxy",
     .example = "10.0.3.10",
     .program = "",
     .command = "\"/usr/lib/chromium/chromium\", \"--headless\", \"--no-sandbox\", \"--disable-gpu\",\n"
                "\"--user-data-dir=/profile\", \"--proxy-server=<proxy-url>:3128\",\n"
                "\"--screenshot=/pages/page.png\", \"https://www.example.com/\"",
     .blocks = "file { allow read, write \"/pages/**\" }\n"
               "env { set \"HOME\" = \"/profile\" set \"TMPDIR\" = \"/profile\" }\n",
     .limits = "cpu 2\n time 10 min\n",
     .mounts = "mount tmpfs at \"/profile\" writable size 512 MiB\n"
               "mount tmpfs at \"/dev/shm\" writable size 512 MiB\n"
               "mount \"<workspace>\" at \"/pages\" writable\n",
     .accepts = "",
     .tests = "allow connect tcp <proxy>:3128\n"
              "deny connect tcp 169.254.169.254:80\n"
              "allow write \"/pages/page.png\"\n"
              "deny read \"/root/.config/chromium/Default/Cookies\"\n"},
    {.name = "ci-runner",
     .doc = "Builds and tests what somebody proposed.",
     .module = "std.agent.ci-runner",
     .arguments = "",
     .workspace = "source",
     .flags = " mirror within resolver workspace ",
     .needs = "",
     .example = "",
     .program = "",
     .command = "\"/usr/bin/make\", \"-C\", \"/source\", \"O=/build\", \"check\"",
     .blocks = "syscall { allow @default\n deny @debug, @keyring, @module, @mount kill }\n",
     .limits = "cpu 4\n time 30 min\n",
     .mounts = "mount \"<workspace>\" at \"/source\" readonly\n"
               "mount tmpfs at \"/build\" writable size 4 GiB\n",
     .accepts = "",
     .tests = "allow exec \"/build/test\"\n"
              "deny write \"/source/Makefile\"\n"
              "deny read \"/root/.aws/credentials\"\n"},
    {.name = "package-installer",
     .doc = "Installs a project's dependencies from one mirror.",
     .module = "std.agent.package-installer",
     .arguments = "(mirror: <mirror>, within: [<within>])",
     .workspace = "project",
     .flags = " runtime mirror within resolver workspace ",
     .needs = "mirror",
     .example = "packages.example.com",
     .program = "/agent",
     .command = "<run>",
     .blocks = "file { allow read \"/project/**\" }\n"
               "env { set \"HOME\" = \"/target\"\n set \"TMPDIR\" = \"/target\" }\n",
     .limits = "cpu 1\n time 10 min\n",
     .mounts = "mount \"<workspace>\" at \"/project\" readonly\n"
               "mount \"/srv/agents/<name>/packages\" at \"/target\" writable\n",
     .accepts = "",
     .tests = "allow connect tcp <mirror>:443\n"
              "allow write \"/target/lib/module.py\"\n"
              "deny exec \"/target/lib/setup.py\"\n"
              "deny write \"/project/requirements.txt\"\n"},
    {.name = "mcp-fetch",
     .doc = "An MCP server that fetches pages, through a proxy.",
     .module = "std.mcp.fetch",
     .arguments = "(proxy: <proxy>)",
     .workspace = "",
     .flags = " proxy ",
     .needs = "proxy",
     .example = "10.0.3.10",
     .program = "/app",
     .command = "\"/usr/bin/python3.11\", \"-I\", \"/app/server.py\"",
     .blocks = "env { set \"HTTPS_PROXY\" = \"http://<proxy-url>:3128\" }\n"
               "tool { allow \"fetch\" }\n",
     .limits = "cpu 1\n time 8 h\n",
     .mounts = "",
     .accepts = mcp_gap,
     .tests = "allow connect tcp <proxy>:3128\n"
              "deny connect tcp 169.254.169.254:80\n"
              "allow tool \"fetch\"\n"},
    {.name = "mcp-filesystem",
     .doc = "An MCP server that offers one directory.",
     .module = "std.mcp.filesystem",
     .arguments = "(roots: [\"/documents\"])",
     .workspace = "documents",
     .flags = " workspace ",
     .needs = "",
     .example = "",
     .program = "/app",
     .command = "\"/usr/bin/node\", \"/app/server.js\", \"/documents\"",
     .blocks = "syscall { allow @default except @network-io\n allow socketpair(domain == AF_UNIX), shutdown }\n"
               "tool { allow \"read_file\", \"list_directory\", \"search_files\"\n"
               "ask \"write_file\", \"edit_file\" }\n",
     .limits = "cpu 1\n time 8 h\n",
     .mounts = "mount \"<workspace>\" at \"/documents\" writable\n",
     .accepts = mcp_gap,
     .tests = "allow write \"/documents/offer.md\"\n"
              "deny write \"/app/server.js\"\n"
              "ask tool \"write_file\"\n"
              "deny tool \"delete_file\"\n"},
    {.name = "mcp-git",
     .doc = "An MCP server that commits to one repository and never pushes.",
     .module = "std.mcp.git",
     .arguments = "",
     .workspace = "repository",
     .flags = " workspace ",
     .needs = "",
     .example = "",
     .program = "/app",
     .command = "\"/usr/bin/python3.11\", \"-I\", \"/app/server.py\", \"/repository\"",
     .blocks = "tool { allow \"git_status\", \"git_diff\", \"git_log\", \"git_show\"\n"
               "ask \"git_commit\", \"git_checkout\" }\n",
     .limits = "cpu 1\n time 8 h\n",
     .mounts = "mount \"<workspace>\" at \"/repository\" writable\n",
     .accepts = "accept unenforced tool because \"the MCP gateway loads approvals.json\"\n"
                "accept narrower write \"/repository/.git/hooks/**\" because \"Git never renames .git\"\n"
                "accept narrower write \"/repository/.git/config\" because \"Git never renames .git\"\n",
     .tests = "allow write \"/repository/.git/objects/ab/cdef\"\n"
              "deny write \"/repository/.git/hooks/post-commit\"\n"
              "ask tool \"git_commit\"\n"
              "deny tool \"git_push\"\n"},
    {.name = "mcp-postgres",
     .doc = "An MCP server that asks one PostgreSQL server.",
     .module = "std.mcp.postgres",
     .arguments = "(server: <server>)",
     .workspace = "",
     .flags = " server ",
     .needs = "server",
     .example = "10.0.4.20",
     .program = "/app",
     .command = "\"/usr/bin/node\", \"/app/server.js\"",
     .blocks = "env { allow \"PGUSER\", \"PGDATABASE\"\n set \"PGHOST\" = \"<server-host>\" }\n"
               "tool { allow \"query\" }\n",
     .limits = "cpu 1\n time 8 h\n",
     .mounts = "",
     .accepts = mcp_gap,
     .tests = "allow connect tcp <server>:5432\n"
              "deny connect tcp <server>:22\n"
              "deny env \"PGPASSWORD\"\n"
              "deny tool \"execute\"\n"},
    {.name = "mcp-sqlite",
     .doc = "An MCP server that queries and changes one SQLite database.",
     .module = "std.mcp.sqlite",
     .arguments = "",
     .workspace = "database",
     .flags = " workspace ",
     .needs = "",
     .example = "",
     .program = "/app",
     .command = "\"/usr/bin/python3.11\", \"-I\", \"/app/server.py\", \"/database/notes.db\"",
     .blocks = "syscall { allow @default except @aio, @network-io, @ipc\n allow pipe2 }\n"
               "tool { allow \"read_query\", \"list_tables\", \"describe_table\"\n ask \"write_query\" }\n",
     .limits = "cpu 1\n time 8 h\n",
     .mounts = "mount \"<workspace>\" at \"/database\" writable\n",
     .accepts = mcp_gap,
     .tests = "allow write \"/database/notes.db-journal\"\n"
              "deny write \"/app/server.py\"\n"
              "ask tool \"write_query\"\n"},
};

}  // namespace

std::span<const KindRow> kind_rows() { return kinds_known; }

}  // namespace agp::cli
