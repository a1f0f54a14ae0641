"""`proxy.py ADDRESS PORT '{SITE: ADDRESS, …}'`: a proxy as a policy's `proxy` parameter means one. It decides which sites are
reached, by plain requests and by CONNECT to port 443, and answers 403 for every other."""
import http.client
import http.server
import json
import socket
import sys
import threading
import urllib.parse

SITES = json.loads(sys.argv[3])


def copy(source, to):
    while data := source.recv(65536):
        to.sendall(data)
    to.shutdown(socket.SHUT_WR)


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.hostname not in SITES:
            self.send_error(403)
            return
        site = http.client.HTTPConnection(SITES[url.hostname], url.port or 80)
        site.request("GET", urllib.parse.urlunsplit(("", "", url.path or "/", url.query, "")), headers={"Host": url.netloc})
        answer = site.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        name, _, port = self.path.rpartition(":")
        if name not in SITES or port != "443":
            self.send_error(403)
            return
        try:
            site = socket.create_connection((SITES[name], 443))
        except OSError:
            self.send_error(502)
            return
        with site:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=copy, args=(site, self.connection))
            back.start()
            copy(self.connection, site)
            back.join()
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Proxy)
print("ready", flush=True)
server.serve_forever()
