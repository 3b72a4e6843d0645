"""Telegraf's lines."""

from __future__ import annotations

import gzip

import pytest
import requests

from sensors.models import QuarantinedReading
from tests.sensors.influx.lines import NS, TIME, V2, post, stored

pytestmark = pytest.mark.django_db(transaction=True)


# The inputs cpu, mem, disk, diskio, net, system, processes and kernel, as its pages show them.
TELEGRAF = """\
cpu,cpu=cpu0,host=web1 time_user=5238.4,time_system=1231.9,usage_user=0.6,usage_idle=98.8 {t}
cpu,cpu=cpu-total,host=web1 usage_guest=0,usage_idle=99.1,usage_iowait=0.05 {t}
mem,host=web1 active=6347694080i,available=11131109376i,used_percent=30.25,swap_free=0i {t}
disk,device=sda2,fstype=ext4,host=web1,mode=rw,path=/ free=88i,total=99u,used_percent=11.5 {t}
diskio,host=web1,name=sda,serial=a\\ b\\,c reads=2762i,iops_in_progress=0i {t}
net,host=web1,interface=eth0 bytes_sent=4177i,speed=1000i {t}
system,host=web1 load1=3.72,load5=2.4,n_users=3i,n_cpus=4i {t}
system,host=web1 uptime=1249632i {t}
system,host=web1 uptime_format="14 days, 11:07" {t}
processes,host=web1 running=1i,sleeping=310i,total=311i {t}
kernel,host=web1 boot_time=1457505775i,context_switches=2626618i {t}
dns_query,domain=a.b,result=success rcode=NOERROR_IS_NO_TAG {t}
win_services,host=web1 state=4i,startup_mode=2i,display_name="a \\"b\\", c=d",on=true {t}
"""


def test_telegrafs_lines_are_stored_and_its_strings_are_no_fault(url: str, secret: str) -> None:
    good = "".join(
        line for line in TELEGRAF.format(t=NS).splitlines(True) if not line.startswith("dns_query")
    )
    answer = post(
        url,
        gzip.compress(good.encode()),
        secret,
        f"{V2}?org=o&bucket=telegraf",
        **{"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    found = stored()
    assert found["mem.available,host=web1"] == (TIME, 11131109376.0)
    assert found["diskio.reads,host=web1,name=sda,serial=a b,c"] == (TIME, 2762.0)
    assert found["win_services.on,host=web1"] == (TIME, 1.0)
    assert not any("uptime_format" in sensor or "display_name" in sensor for sensor in found)
    assert not QuarantinedReading.objects.exists()
    # Again, as after an answer that was lost: nothing changes.
    assert post(url, good, secret).status_code == 204
    assert stored() == found


def test_one_bad_line_of_telegraf_costs_no_other(url: str, secret: str) -> None:
    answer = post(url, TELEGRAF.format(t=NS), secret)
    assert answer.status_code == 400
    assert answer.json()["line"] == 12
    held = QuarantinedReading.objects.get()
    assert (held.category, held.code, held.source) == ("validation", "line_invalid", "influx")
    assert "NOERROR" in held.payload
    assert len(stored()) > 25


def test_telegrafs_v1_output_creates_its_database_first(url: str, secret: str) -> None:
    basic = ("telegraf", secret)
    made = requests.post(
        f"{url}/query", data={"q": 'CREATE DATABASE "telegraf"'}, auth=basic, timeout=30
    )
    assert (made.status_code, made.json()) == (200, {"results": [{"statement_id": 0}]})
    wrote = requests.post(
        f"{url}/write?db=telegraf&consistency=any&rp=x", data=f"m f=1 {NS}", auth=basic, timeout=30
    )
    assert wrote.status_code == 204
    assert stored() == {"m.f": (TIME, 1.0)}


def test_any_other_query_is_answered_with_an_error(url: str, secret: str) -> None:
    for statement in (
        "SHOW DATABASES",
        "CREATE DATABASE",
        'CREATE DATABASE "x"; DROP DATABASE "x"',
    ):
        answer = requests.post(
            f"{url}/query", params={"q": statement}, auth=("", secret), timeout=30
        )
        assert answer.status_code == 400
        assert "only CREATE DATABASE" in answer.json()["error"]
