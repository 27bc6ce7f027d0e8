"""An e-mail reaches a real SMTP server; what it refuses is said without the password."""

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import subprocess
import threading

import pytest

from dlpipe.errors import BadInputError
from pipeline.announcing import mail
from pipeline.announcing.notices import NotToldError, notice_of

PASSWORD = "pa55word"


class _Server(socketserver.ThreadingTCPServer):
  daemon_threads = True
  block_on_close = False
  allow_reuse_address = True


@pytest.fixture
def smtp():
  """Returns a function from answers by command to a server of RFC 5321.

  It returns the address, the list of what came, `(sender, recipients, message, login)`, and that of
  the connections.
  """
  with contextlib.ExitStack() as stack:

    def start(tls=None, **answers):
      taken, calls = [], []

      class Handler(socketserver.StreamRequestHandler):
        def say(self, line):
          self.wfile.write(f"{line}\r\n".encode())

        def handle(self):
          calls.append("connect")
          self.say(answers.get("connect", "220 ready"))
          sender, recipients, login = "", [], None
          for raw in self.rfile:
            line = raw.decode().strip()
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == "EHLO":
              self.say("250-loopback")
              self.say("250 AUTH PLAIN")
            elif verb == "AUTH":
              login = line
              self.say(answers.get("auth", "235 welcome"))
            elif verb == "MAIL":
              sender = line
              self.say("250 fine")
            elif verb == "RCPT":
              recipients.append(line)
              self.say(answers.get("rcpt", "250 fine"))
            elif verb == "DATA":
              self.say("354 go on")
              lines = iter(self.rfile.readline, b".\r\n")
              message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
              taken.append((sender, recipients, message, login))
              self.say(answers.get("data", "250 taken"))
            elif verb == "QUIT":
              self.say("221 bye")
              return
            else:
              self.say("250 fine")

      server = _Server(("127.0.0.1", 0), Handler)
      if tls is not None:
        server.socket = tls.wrap_socket(
          server.socket, server_side=True, do_handshake_on_connect=False
        )
      threading.Thread(target=server.serve_forever, daemon=True).start()
      stack.callback(server.server_close)
      stack.callback(server.shutdown)
      return f"127.0.0.1:{server.server_address[1]}", taken, calls

    yield start


@pytest.fixture
def tls_smtp(smtp, tmp_path):
  """Returns a function to such a server with TLS from the first byte, and its certificate."""
  names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
  files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
  key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  subprocess.run(["openssl", "req", "-x509", *key, *names, *files], check=True, capture_output=True)

  def start():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    address, taken, _ = smtp(tls=context)
    return address, taken, tmp_path / "cert.pem"

  return start


def _send(record, settings, address, *more, **changes):
  waited = []
  config = settings(
    "notify.email_to=[ml@example.com, ops@example.com]",
    "notify.email_from=dlpipe@example.com",
    f"notify.smtp_server={address}",
    *(["notify.smtp_security=none"] if not more else []),
    *more,
  )
  notice = notice_of(record(**changes).result)
  password = PASSWORD if config.notify.smtp_user else None
  mail.send(notice, config.notify, password=password, pause=waited.append)
  return waited


def test_it_says_what_became_of_the_run(smtp, record, settings):
  address, taken, _ = smtp()
  error = "Trainer failed: out of memory\nin node Trainer"
  assert _send(record, settings, address, state="failed", error=error) == []
  [(sender, recipients, message, login)] = taken
  assert sender.casefold().startswith("mail from:<dlpipe@example.com>")
  assert len(recipients) == 2
  assert message["Subject"] == "images: The run failed"
  assert message["To"] == "ml@example.com, ops@example.com"
  text = message.get_content().replace("\r\n", "\n")
  assert "Trainer failed: out of memory\nin node Trainer" in text
  assert "Run 20260101-000000-abcd" in text
  assert login is None


def test_a_server_that_is_busy_is_tried_again(smtp, record, settings):
  address, _, calls = smtp(data="451 come back later")
  with pytest.raises(NotToldError, match="the mail server answered 451"):
    _send(record, settings, address)
  assert len(calls) == 4


@pytest.mark.parametrize(
  ("answers", "message"),
  [
    ({"rcpt": "550 no such box"}, "the mail server refused ml@example.com, ops@example.com"),
    ({"data": "554 this is spam"}, "the mail server answered 554"),
    ({"connect": "554 not you"}, "the mail server answered 554"),
  ],
)
def test_what_stays_refused_is_tried_once(smtp, record, settings, answers, message):
  address, _, calls = smtp(**answers)
  with pytest.raises(NotToldError) as refused:
    _send(record, settings, address)
  assert str(refused.value) == message
  assert len(calls) == 1


def test_no_password_goes_over_a_server_without_tls(smtp, record, settings):
  address, taken, _ = smtp()
  secrets = ("notify.smtp_user=me", "notify.smtp_password=env:MAIL_PASSWORD")
  with pytest.raises(NotToldError, match="the mail server cannot do that: STARTTLS"):
    _send(record, settings, address, *secrets)
  assert taken == []


def test_a_password_that_no_server_takes_is_not_shown(record, settings, tls_smtp, monkeypatch):
  address, taken, authority = tls_smtp()
  monkeypatch.setenv("SSL_CERT_FILE", str(authority))
  config = settings(
    "notify.email_to=[ml@example.com]",
    "notify.email_from=dlpipe@example.com",
    f"notify.smtp_server={address}",
    "notify.smtp_security=tls",
    "notify.smtp_user=me",
    "notify.smtp_password=env:MAIL_PASSWORD",
  )
  with pytest.raises(NotToldError) as refused:
    mail.send(notice_of(record().result), config.notify, password="geheim-pässwort")
  assert str(refused.value) == "the name and the password must be of ASCII characters"
  assert taken == []


def test_a_server_that_is_away(record, settings, free_ports):
  [port] = free_ports(1)
  with pytest.raises(NotToldError, match="the mail server cannot be reached: Connection refused"):
    _send(record, settings, f"127.0.0.1:{port}")


def test_a_password_goes_over_tls_to_who_has_a_known_certificate(
  record, settings, tls_smtp, monkeypatch
):
  address, taken, authority = tls_smtp()
  secrets = (
    "notify.smtp_security=tls",
    "notify.smtp_user=me",
    "notify.smtp_password=env:MAIL_PASSWORD",
  )
  with pytest.raises(NotToldError, match="the connection is not safe: CERTIFICATE_VERIFY_FAILED"):
    _send(record, settings, address, *secrets)
  assert taken == []
  monkeypatch.setenv("SSL_CERT_FILE", str(authority))
  _send(record, settings, address, *secrets)
  [(_, _, _, login)] = taken
  assert base64.b64decode(login.split()[-1]) == b"\0me\0pa55word"


@pytest.mark.parametrize(
  ("items", "message"),
  [
    (["email_to=[ml@example.com]"], "notify.smtp_server must be set, too, for an e-mail"),
    (["email_to=[ml]", "email_from=a@b.c", "smtp_server=m:25"], "notify.email_to must be a plain"),
    (["email_to=[a@b.c]", "email_from=a@b.c", "smtp_server=m"], "must be host:port, such as"),
    (["smtp_server=m:25"], "notify.smtp_server is for e-mails. Set notify.email_to, too"),
    (
      [
        "email_to=[a@b.c]",
        "email_from=a@b.c",
        "smtp_server=m:25",
        "smtp_user=me",
        "smtp_password=env:P",
        "smtp_security=none",
      ],
      "notify.smtp_security must be starttls or tls: with none the password would go in clear",
    ),
    (
      ["email_to=[a@b.c]", "email_from=a@b.c", "smtp_server=m:25", "smtp_user=me"],
      "notify.smtp_password must be set, too",
    ),
  ],
)
def test_settings_that_cannot_work_are_refused(settings, items, message):
  with pytest.raises(BadInputError) as refused:
    settings(*(f"notify.{item}" for item in items))
  assert message in str(refused.value)
