# SPDX-License-Identifier: Apache-2.0
"""Asserts what a server does, with paramiko: client.py PORT KEY"""

import sys

import paramiko

port, key = int(sys.argv[1]), sys.argv[2]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port, "user", key_filename=key, allow_agent=False, look_for_keys=False)

_, out, err = client.exec_command("echo $NAME; echo err >&2; exit 42", environment={"NAME": "value"})
assert out.read() == b"value\n"
assert err.read() == b"err\n"
assert out.channel.recv_exit_status() == 42

stdin, out, _ = client.exec_command("cat")
stdin.write(b"x" * 1000000)
stdin.channel.shutdown_write()
assert len(out.read()) == 1000000

shell = client.invoke_shell("vt100", 90, 30)
shell.send(b"stty size; exit 3\n")
text = b""
while chunk := shell.recv(1000):
    text += chunk
assert b"30 90" in text, text
assert shell.recv_exit_status() == 3

sftp = client.open_sftp()
with sftp.open("file", "w") as f:
    f.write("text")
stat = sftp.stat("file")
assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o777) == (4711, 4712, 0o644), stat
assert sftp.normalize(".") == "/home/user"
sftp.mkdir("dir", 0o700)
sftp.chmod("dir", 0o700)
assert sorted(sftp.listdir()) == ["dir", "file"]
try:
    sftp.open("/etc/passwd", "a")
    raise AssertionError("wrote root's file")
except PermissionError:
    pass
client.close()
