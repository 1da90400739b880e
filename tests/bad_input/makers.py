"""Inputs too big to be written down."""

import gzip
from collections.abc import Callable

EVENT = b'{"id":"evt_1","object":"event","type":"customer.created","data":{"object":{"id":"cus_1"}}}'


def _yaml_bomb() -> bytes:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return ("a0: &a0 lol\n" + "\n".join(levels) + "\n").encode()


def _gzip_bomb() -> bytes:
    return gzip.compress(b'{"id":"' + b"x" * 30_000_000 + b'"}', 9)


MADE: dict[str, Callable[[], bytes]] = {
    "integer of 5,000 digits": lambda: b'{"id":"evt_1","amount":' + b"9" * 5000 + b"}",
    "integer of 900,000 digits": lambda: b'{"id":' + b"9" * 900_000 + b"}",
    "100,000 brackets": lambda: b"[" * 100_000,
    "100,000 nested keys": lambda: b'{"a":' * 100_000,
    "ten megabytes": lambda: b'{"id":"' + b"x" * 10_000_000 + b'"}',
    "a million keys": lambda: b"{" + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}",
    "20,001 members": lambda: b"[" + b",".join([b'{"a":1}'] * 20_001) + b"]",
    "event in utf-16": lambda: EVENT.decode().encode("utf-16"),
    "event with byte order mark": lambda: b"\xef\xbb\xbf" + EVENT.replace(b"evt_1", b"evt_bom"),
    "event, compressed": lambda: gzip.compress(EVENT),
    "event, compressed twice": lambda: gzip.compress(gzip.compress(EVENT)),
    "gzip bomb": _gzip_bomb,
    "id of 300 characters": lambda: EVENT.replace(b"evt_1", b"e" * 300),
    "ids of 600,000 characters": lambda: b'{"ids":["' + b"x" * 600_000 + b'"],"preview":true}',
    "1,001 ids": lambda: b'{"ids":[' + b",".join([b'"msg-%d"' % n for n in range(1001)]) + b"]}",
    "yaml alias bomb": _yaml_bomb,
    "yaml of two megabytes": lambda: b"exceptions:\n" + b"  a: {}\n" * 250_000,
    "yaml of 100,000 brackets": lambda: b"exceptions: " + b"[" * 100_000,
    "yaml key of 50,000 characters": lambda: b"x" * 50_000 + b": 1\n",
    "csv of nine megabytes": lambda: b"value,target,owner,effective_from,effective_to\n" + b"a,b,c,,\n" * 1_200_000,
    "csv cell of 200,000 characters": lambda: (
        b"value,target,owner,effective_from,effective_to\n" + b"a" * 200_000 + b",b,c,,\n"
    ),
    "csv with 5,000 columns": lambda: b",".join(b"c%d" % n for n in range(5_000)) + b"\na\n",
    "count of 450 digits": lambda: (
        b"value,target,owner,effective_from,effective_to,rank,response_minutes\nplus,plus,x,,," + b"9" * 450 + b",5\n"
    ),
    "count of 5,000 digits": lambda: (
        b"value,target,owner,effective_from,effective_to,rank,response_minutes\nplus,plus,x,,," + b"9" * 5000 + b",5\n"
    ),
    "deals with a cell of 200,000 characters": lambda: (
        b"opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
        b"G1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017," + b"9" * 200_000 + b"\n"
    ),
    "deals with an open quote": lambda: (
        b"opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
        b'"G1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,5\n'
        + b"".join(b"D%d,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,5\n" % n for n in range(2000))
    ),
    "page of html": lambda: b"<!DOCTYPE html><html><title>Sign in</title>" + b"<p>please sign in</p>" * 500,
}
