"""`web.py '[[ADDRESS, PORT, OPTIONS], …]'`: a web server on each. It answers a GET with the file of that path beneath the
directory `files`, if OPTIONS name one, and else with where it was asked; over TLS when there is a `certificate`, a file with
its key. Both are relative to the working directory."""
import http.server
import json
import mimetypes
import pathlib
import ssl
import sys
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.server.server_address[0]}:{self.server.server_address[1]}{self.path}\n".encode()
        kind = "text/plain"
        if files := self.server.options.get("files"):
            file = pathlib.Path(files) / self.path.split("?")[0].lstrip("/")
            if file.is_file():
                body, kind = file.read_bytes(), mimetypes.guess_type(file.name)[0] or kind
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


for address, port, *options in json.loads(sys.argv[1]):
    server = http.server.ThreadingHTTPServer((address, port), Answer)
    server.options = options[0] if options else {}
    if certificate := server.options.get("certificate"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
