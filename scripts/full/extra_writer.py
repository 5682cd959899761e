"""Another client of an etcd: puts one key of 500 bytes at a rate, until that etcd is gone. URL RATE"""

import base64
import http.client
import json
import sys
import time
import urllib.parse

url, rate = urllib.parse.urlparse(sys.argv[1]), float(sys.argv[2])
key = base64.b64encode(b"/registry-etcdmark/planted").decode()
value = base64.b64encode(b"x" * 500).decode()
body = json.dumps({"key": key, "value": value})
due, failures, begun = time.monotonic(), 0, False
while failures < 100:
    try:
        peer = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
        while True:
            peer.request("POST", "/v3/kv/put", body)
            peer.getresponse().read()
            begun, failures = True, 0
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))
    except OSError:
        if begun:
            break
        failures += 1
        time.sleep(0.1)
