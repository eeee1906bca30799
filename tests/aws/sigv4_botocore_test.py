"""Our signatures against those of botocore's own signer, over random requests: sigv4_botocore_test.py SIGN_REQUESTS"""

import json
import os
import random
import subprocess
import sys
import unittest
from unittest import mock

import test_packages

test_packages.enter()

import datetime  # noqa: E402

import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
from urllib.parse import quote  # noqa: E402

COUNT = int(os.environ.get("TUNER_SIGV4_REQUESTS", "600"))
SEED = int(os.environ.get("TUNER_SIGV4_SEED", random.randrange(1 << 32)))

ODD = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aA0zZ9éßñ漢字🙂\t\n%20%2F+ "
PLAIN = "abcXYZ019-_.~"
HOSTS = ["sagemaker.eu-west-1.amazonaws.com", "Bucket.S3.amazonaws.com", "127.0.0.1", "localhost", "[::1]", "[fd00:EC2::254]", "host-1.example"]
PORTS = ["", "", "", ":80", ":443", ":8443", ":15555"]
HEADER_NAMES = ["X-Amz-Target", "Content-Type", "Content-Length", "x-amz-meta-Note", "X-AMZ-Meta-a", "User-Agent", "Expect", "TE", "Connection",
                "Transfer-Encoding", "X-Amzn-Trace-Id", "Range", "If-Match", "Accept", "x-amz-acl", "Keep-Alive", "traceparent", "Z-9", "a"]
HEADER_TEXT = "abc XYZ  019\t-_.~!\"#$%&'()*+,/:;<=>?@[]^`{|} "


class Requests:
    """Random requests, of which each is odd in other ways."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def text(self, alphabet, most=12, least=0):
        return "".join(self._random.choice(alphabet) for _ in range(self._random.randint(least, most)))

    def odd(self, least=0):
        return self.text(ODD if self._random.random() < 0.6 else PLAIN, least=least)

    def headers(self):
        names = self._random.choices(HEADER_NAMES, k=self._random.randint(0, 7))
        return [[name, self.text(HEADER_TEXT, 24)] for name in names]

    def raw_url(self, base, is_s3):
        """A URL as somebody might hand it in: encoded or not, with dots, slashes, keys without values, the same key again."""
        r = self._random
        pieces = ["a", "b c".replace(" ", "%20"), ".", "..", "", "%2F", "%zz", "ä", "~", "x:y", "@", "a+b", "(!)*'", "漢", "%25", ";v=1", "a=b"]
        path = "/" + "/".join(r.choices(pieces, k=r.randint(0, 6)))
        if not is_s3 and r.random() < 0.1:
            path = ""
        queries = ["a", "a=", "a=1", "a=2", "A=1", "b=%20", "=x", "", "a=b=c", "uploads", "key%3D=v", "z=ä", "q=/+?", "a-b=1", "a.b=1", "ab=1", "a%20b=1"]
        query = "&".join(r.choices(queries, k=r.randint(0, 6)))
        return base + path + (f"?{query}" if query or r.random() < 0.1 else "")

    def next(self):
        r = self._random
        service = r.choice(["s3", "s3", "sagemaker", "logs", "sts", "execute-api"])
        base = r.choice(["http://", "https://"]) + r.choice(HOSTS) + r.choice(PORTS)
        body = self.odd().encode()
        request = {
            "method": r.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "post"]),
            "service": service,
            "region": r.choice(["us-east-1", "eu-west-1", "cn-north-1"]),
            "time": r.randrange(946684800, 4102444800),
            "access_key_id": "AKID" + self.text("ABCDEFG0123", 16, 4),
            "secret_access_key": self.text("abcXYZ019+/", 40, 1),
            "session_token": r.choice(["", self.text("abcXYZ019+/=", 300, 1)]),
            "headers": self.headers(),
            "payload_hash": botocore.auth.sha256(body).hexdigest(),
        }
        if r.random() < 0.5:
            request["url"] = self.raw_url(base, service == "s3")
        else:
            request["base"] = base
            request["segments"] = [self.odd() for _ in range(r.randint(1, 5))]
            request["params"] = [[self.odd(), self.odd()] for _ in range(r.randint(0, 5))]
            if request["params"] and r.random() < 0.5:
                request["params"].append([request["params"][0][0], self.odd()])
        return request, body


def by_botocore(request, body):
    """The headers that botocore adds."""
    url, params = request.get("url"), None
    if url is None:
        url = request["base"] + "".join("/" + quote(segment, safe="-._~") for segment in request["segments"])
        params = [tuple(param) for param in request["params"]]
    aws_request = botocore.awsrequest.AWSRequest(method=request["method"], url=url, data=body, params=params or {})
    for name, value in request["headers"]:
        aws_request.headers.add_header(name, value)
    keys = botocore.credentials.Credentials(request["access_key_id"], request["secret_access_key"], request["session_token"] or None)
    signer = botocore.auth.S3SigV4Auth if request["service"] == "s3" else botocore.auth.SigV4Auth
    now = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: now):
        signer(keys, request["service"], request["region"]).add_auth(aws_request)
    return {name.lower(): aws_request.headers[name] for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")
            if name in aws_request.headers}


class SignedAsByBotocore(unittest.TestCase):
    program = None

    def sign(self, requests):
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        done = subprocess.run([self.program], input=lines, capture_output=True, text=True, timeout=60, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(requests), len(answers))
        return answers

    def test_random_requests(self):
        source = Requests(SEED)
        cases = [source.next() for _ in range(COUNT)]
        answers = self.sign([request for request, _ in cases])
        for (request, body), answer in zip(cases, answers):
            with self.subTest(seed=SEED, request=request):
                self.assertNotIn("error", answer)
                ours = {name.lower(): value for name, value in answer["headers"] if name != "Host"}
                self.assertEqual(by_botocore(request, body), ours)
        print(f"{COUNT} requests signed alike, {sum(r['service'] == 's3' for r, _ in cases)} of them for S3 (seed {SEED})")

    def test_a_difference_would_be_seen(self):
        request, body = Requests(1).next()
        ours = dict(map(tuple, self.sign([{**request, "time": request["time"] + 1}])[0]["headers"]))
        self.assertNotEqual(by_botocore(request, body)["authorization"], ours["Authorization"])


if __name__ == "__main__":
    SignedAsByBotocore.program = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=2)
