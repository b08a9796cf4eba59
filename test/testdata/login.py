# SPDX-License-Identifier: Apache-2.0
"""Asserts what a machine's SSH server does, with paramiko: login.py PORT DIR

DIR is the machine's directory. As ssh does, it accepts the machine's host key only.
"""

import os
import sys

import paramiko

port, directory = int(sys.argv[1]), sys.argv[2]
client = paramiko.SSHClient()
known = paramiko.HostKeys(os.path.join(directory, "known_hosts"))["guest"]["ssh-ed25519"]
client.get_host_keys().add(f"[127.0.0.1]:{port}", "ssh-ed25519", known)
client.connect("127.0.0.1", port, "web", key_filename=os.path.join(directory, "id_ed25519"),
               allow_agent=False, look_for_keys=False)

stdin, out, err = client.exec_command("id -un; wc -c; echo err >&2; exit 42")
stdin.write(b"x" * 100000)
stdin.channel.shutdown_write()
assert out.read() == b"web\n100000\n"
assert err.read() == b"err\n"
assert out.channel.recv_exit_status() == 42

shell = client.invoke_shell("vt100", 90, 30)
shell.send(b"stty size; exit 3\n")
text = b""
while chunk := shell.recv(1000):
    text += chunk
assert b"30 90" in text, text
assert shell.recv_exit_status() == 3

sftp = client.open_sftp()
content = os.urandom(200000)
with sftp.open("paramiko", "w") as f:
    f.write(content)
stat = sftp.stat("paramiko")
assert (stat.st_uid, stat.st_gid, stat.st_size) == (101, 102, len(content)), stat
with sftp.open("paramiko") as f:
    assert f.read() == content
sftp.remove("paramiko")
client.close()
