"""An S3 server on a free port of loopback, with one bucket, until its standard input ends.

Usage: s3_server.py BUCKET. Prints its address when it answers.
"""

import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
address = "http://%s:%s" % server.get_host_and_port()
client = boto3.client(
    "s3",
    endpoint_url=address,
    region_name="us-east-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
)
client.create_bucket(Bucket=sys.argv[1])
print(address, flush=True)
sys.stdin.read()
server.stop()
