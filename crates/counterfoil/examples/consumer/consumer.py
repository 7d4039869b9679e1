#!/usr/bin/env python3
"""Takes events from the feed or a broker, each once and each key in order, and appends them to a file, one a line.

What a consumer has to do, whatever it is written in:

- An event may come twice: its `id` is the same, and so are its bytes.
- A leader that was stopped and woken again may send an event late, behind newer ones of its key. So keep the highest
  (epoch, sequence) of each key, and drop what is not above it. Both stand in every message.
- Keep that in the same transaction as the work that an event causes, before it is acknowledged. Here the work is a line in a
  file, and what was highest is read from that file again: one write does both.

Sources, of which the first needs nothing but Python:

    consumer.py --into FILE feed http://127.0.0.1:8080 --key KEY [--consumer NAME]
    consumer.py --into FILE nats nats://127.0.0.1:4222 [--stream OUTBOX]          (pip install nats-py)
    consumer.py --into FILE amqp amqp://guest:guest@127.0.0.1/%2f [--queue NAME]  (pip install pika)
    consumer.py --into FILE kafka 127.0.0.1:9092 [--topics outbox.event.order]    (pip install confluent-kafka)

Without --into it prints, and forgets.
"""

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request


class Work:
    """What is done with an event, and the highest (epoch, sequence) for which it was done, by key."""

    def __init__(self, path, until):
        self.left, self.highest = until, {}
        self.file = open(path, "a+b") if path else sys.stdout.buffer
        if path:
            self.remember()

    def remember(self):
        whole = 0
        self.file.seek(0)
        for line in self.file:
            # One that was killed in the midst of a line did not do the work.
            if line.endswith(b"\n"):
                whole += len(line)
                event = json.loads(line)
                self.highest[event["subject"]] = (int(event["epoch"]), int(event["sequence"]))
        self.file.truncate(whole)
        self.file.seek(whole)

    def take(self, event):
        at = (int(event["epoch"]), int(event["sequence"]))
        if at <= self.highest.get(event["subject"], (-1, -1)):
            print(json.dumps({"dropped": event["id"]}), file=sys.stderr, flush=True)
            return
        self.file.write(json.dumps(event).encode() + b"\n")
        self.file.flush()
        self.highest[event["subject"]] = at
        if self.left is not None:
            self.left -= 1

    @property
    def done(self):
        return self.left is not None and self.left <= 0


def of_attributes(attributes, data):
    """A CloudEvent in binary mode: its attributes beside its data."""
    event = {name: urllib.parse.unquote(value) for name, value in attributes.items()}
    event["epoch"] = int(event["epoch"])
    event["data"] = json.loads(data)
    return event


def feed(work, args):
    def ask(method, path, body=None):
        request = urllib.request.Request(args.url + path, method=method)
        request.add_header("Authorization", "Bearer " + args.key)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer), answer.headers

    consumer = "/v1/consumers/" + urllib.parse.quote(args.consumer)
    try:
        cursor = ask("GET", consumer)[0]["cursor"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        cursor = ask("PUT", consumer, {"cursor": "start"})[0]["cursor"]
    while not work.done:
        events, headers = ask("GET", f"/v1/feed?limit=500&timeout=20000&after={cursor}")
        for event in events:
            work.take(event)
        behind = headers["counterfoil-cursor"]
        if behind != cursor:
            # Another instance that works under this name gets a 409 here, and so would this one.
            cursor = ask("PUT", consumer, {"cursor": behind, "was": cursor})[0]["cursor"]


def nats(work, args):
    import asyncio

    import nats as client
    from nats.js.api import AckPolicy, ConsumerConfig

    # One message at a time: of several that were not acknowledged, those that are sent again come behind newer ones, and
    # would be taken for late.
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=1, ack_wait=5)

    async def run():
        connection = await client.connect(args.url, max_reconnect_attempts=-1, reconnect_time_wait=0.2)
        jetstream, messages = connection.jetstream(), None
        while not work.done:
            try:
                if messages is None:
                    messages = await jetstream.pull_subscribe("", args.consumer, args.stream, config)
                for message in await messages.fetch(1, timeout=1):
                    headers = message.headers.items()
                    attributes = {name[3:]: value for name, value in headers if name.startswith("ce-")}
                    work.take(of_attributes(attributes, message.data))
                    await message.ack_sync(timeout=2)
            except (asyncio.TimeoutError, client.errors.Error):
                # What was not acknowledged comes again.
                await asyncio.sleep(0.05)
        await connection.close()

    asyncio.run(run())


def amqp(work, args):
    import time

    import pika

    while not work.done:
        try:
            connection = pika.BlockingConnection(pika.URLParameters(args.url))
            channel = connection.channel()
            channel.basic_qos(prefetch_count=100)
            for method, properties, body in channel.consume(args.queue, inactivity_timeout=1):
                if method is not None:
                    headers = (properties.headers or {}).items()
                    attributes = {n[12:]: str(v) for n, v in headers if n.startswith("cloudEvents_")}
                    work.take(of_attributes(attributes, body))
                    channel.basic_ack(method.delivery_tag)
                if work.done:
                    break
            connection.close()
        except pika.exceptions.AMQPError:
            # What was not acknowledged comes again.
            time.sleep(0.3)


def kafka(work, args):
    from confluent_kafka import Consumer

    consumer = Consumer({
        "bootstrap.servers": args.url, "group.id": args.consumer, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "isolation.level": "read_committed", "session.timeout.ms": 6000,
    })
    consumer.subscribe(args.topics.split(","))
    while not work.done:
        messages = [message for message in consumer.consume(500, timeout=0.5) if not message.error()]
        for message in messages:
            attributes = {n[3:]: v.decode() for n, v in message.headers() if n.startswith("ce_")}
            work.take(of_attributes(attributes, message.value()))
        if messages:
            # What was not committed comes again, and is dropped.
            consumer.commit(asynchronous=False)
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", metavar="FILE", help="where the events go")
    parser.add_argument("--until", type=int, help="end after so many events")
    parser.add_argument("--consumer", default="example", help="the name under which the source keeps a cursor")
    sources = parser.add_subparsers(dest="source", required=True)
    for name, read in (("feed", feed), ("nats", nats), ("amqp", amqp), ("kafka", kafka)):
        source = sources.add_parser(name)
        source.set_defaults(read=read)
        source.add_argument("url")
        if name == "feed":
            source.add_argument("--key", required=True, help="an API key of the role feed")
        if name == "nats":
            source.add_argument("--stream", default="OUTBOX")
        if name == "amqp":
            source.add_argument("--queue", default="example")
        if name == "kafka":
            source.add_argument("--topics", default="outbox.event.order,outbox.event.payment,outbox.event.stock,"
                                                    "outbox.event.coupon,outbox.event.points")
    args = parser.parse_args()
    args.read(Work(args.into, args.until), args)


if __name__ == "__main__":
    main()
