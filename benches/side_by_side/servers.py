"""The servers that are compared: Streamfront, nginx-rtmp and nginx."""

import os
import re
import shutil
import time
import urllib.request

from origin import BUCKET, KEYS, MEDIA, ROOT
from processes import Process, free_port, wait_for_port

# The server: of this build, or of the one that SERVER names.
BINARY = os.environ.get("SERVER") or ROOT / "target" / "release" / "streamfront"

NGINX = """
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid "{folder}/nginx.pid";
error_log "{folder}/nginx-error.log";
events {{ worker_connections 8192; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{rtmp};
        chunk_size 4096;
        application vod {{ play "{media}"; }}
    }}
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    server {{ listen 127.0.0.1:{http}; root "{media}"; }}
}}
"""


class Streamfront:
    """A server over the bucket, with the settings that it has by default."""

    name = "streamfront"

    def __init__(self, folder, origin_port, config=""):
        self.rtmp = free_port()
        self.api = free_port()
        self.folder = folder / f"streamfront-{self.rtmp}"
        self.folder.mkdir()
        nowhere = str(self.folder / "none")
        environment = {
            **KEYS,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{origin_port}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        }
        arguments = [BINARY, "serve", "--bucket", f"s3://{BUCKET}"]
        for flag, port in (("rtmp", self.rtmp), ("http", free_port()), ("api", self.api)):
            arguments += [f"--{flag}", f"127.0.0.1:{port}"]
        arguments += ["--data-dir", self.folder / "data"]
        arguments += ["--log-level", "warn", "--drain-limit", "1s"]
        if config:
            file = self.folder / "streamfront.toml"
            file.write_text(config)
            arguments += ["--config", file]
        self.process = Process(self.name, arguments, self.folder / "log", environment)
        wait_for_port(self.rtmp, self.process)

    def url(self, key):
        """Where to play an object."""
        if key.endswith(".flv"):
            return f"rtmp://127.0.0.1:{self.rtmp}/cfx/st/{key[:-4]}"
        return f"rtmp://127.0.0.1:{self.rtmp}/cfx/st/mp4:{key}"

    def sent(self):
        """Bytes of media that players were sent so far."""
        url = f"http://127.0.0.1:{self.api}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            said = answer.read().decode()
        count = re.search(r'^streamfront_sent_bytes_total{kind="media"} (\d+)$', said, re.MULTILINE)
        return int(count.group(1))

    def stop(self):
        """Ends it."""
        self.process.stop()


class Nginx:
    """One nginx for both: RTMP by its module, and the same files over HTTP by sendfile."""

    name = "nginx-rtmp"

    def __init__(self, folder):
        self.rtmp = free_port()
        self.http = free_port()
        folder = folder / f"nginx-{self.rtmp}"
        folder.mkdir()
        file = folder / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        text = NGINX.format(user=user, folder=folder, media=MEDIA, rtmp=self.rtmp, http=self.http)
        file.write_text(text)
        # Where it is installed, an ordinary user's PATH does not look.
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        arguments = [binary, "-c", file, "-p", folder]
        self.process = Process(self.name, arguments, folder / "log")
        wait_for_port(self.rtmp, self.process)
        wait_for_port(self.http, self.process)
        time.sleep(0.2)

    def url(self, key):
        """Where to play a file of the media folder."""
        return f"rtmp://127.0.0.1:{self.rtmp}/vod/{key}"

    def stop(self):
        """Ends it."""
        self.process.stop()
