// A registry on this sandbox's own loopback serves a directory; npm installs from it.
const { execFileSync, execFile } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const { Worker } = require("node:worker_threads");

const url = "http://127.0.0.1:4873";
const archive = fs.readFileSync("/registry/answer-1.2.3.tgz");
const integrity = "sha512-" + crypto.createHash("sha512").update(archive).digest("base64");
const description = {
  name: "answer",
  "dist-tags": { latest: "1.2.3" },
  versions: { "1.2.3": { name: "answer", version: "1.2.3", dist: { tarball: url + "/answer-1.2.3.tgz", integrity } } },
};

console.log("child", execFileSync(process.execPath, ["-p", "6 * 7"]).toString().trim());
new Worker("require('worker_threads').parentPort.postMessage(42)", { eval: true }).on("message", (m) => console.log("worker", m));

const server = http.createServer((request, response) => {
  if (request.url === "/answer") return response.end(JSON.stringify(description));
  if (request.url === "/answer-1.2.3.tgz") return response.end(archive);
  response.statusCode = 404;
  response.end("{}");
});
server.listen(4873, "127.0.0.1", () => {
  fs.writeFileSync("package.json", JSON.stringify({ name: "task", version: "1.0.0", scripts: { say: "echo script ran" } }));
  const npm = (words, then) => execFile(process.execPath, ["/usr/share/nodejs/npm/bin/npm-cli.js", ...words], (error, out, err) => {
    if (error) { console.error(out + err); process.exit(1); }
    then(out);
  });
  npm(["install", "--registry", url, "--no-audit", "--no-fund", "--no-update-notifier", "answer"], () => {
    console.log("installed", require("/workspace/node_modules/answer"));
    npm(["--silent", "run", "say"], (out) => { process.stdout.write(out); server.close(); });
  });
});
