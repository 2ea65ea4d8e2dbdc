"""A service that books its model calls to the use case of whoever called it. Run: python downstream.py 8001"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from openai import OpenAI

from payi_otel import extract_baggage, payi_instrument

payi_instrument()
client = OpenAI()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))["question"]
        # The names that this service believes; anyone who reaches it can write the header.
        with extract_baggage(dict(self.headers), allow=["use_case_name", "use_case_id", "use_case_step"]):
            answer = client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
            )
        body = json.dumps({"answer": answer.choices[0].message.content}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
