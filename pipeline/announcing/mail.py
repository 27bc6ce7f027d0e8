"""Sends a notice as an e-mail."""

from __future__ import annotations

import email.message
import email.utils
import smtplib
import ssl
import time
from collections.abc import Callable

from pipeline.announcing.notices import Notice, NotToldError
from pipeline.settings.telling import NotifyConfig


def send(
  notice: Notice,
  settings: NotifyConfig,
  *,
  password: str | None,
  pause: Callable[[float], None] = time.sleep,
) -> None:
  """Sends a notice to all addresses of `notify.email_to`.

  Args:
    notice: what to tell.
    settings: the section `notify`.
    password: the password of `notify.smtp_user`, or None.
    pause: waits a number of seconds.

  Raises:
    NotToldError: the mail server did not take it; the message does not hold the password.
  """
  message = email.message.EmailMessage()
  message["Subject"] = " ".join(notice.subject.split())
  message["From"] = settings.email_from
  message["To"] = ", ".join(settings.email_to)
  message["Date"] = email.utils.localtime()
  message["Message-ID"] = email.utils.make_msgid(domain="dlpipe.invalid")
  message.set_content(notice.text)
  for number in range(settings.retries + 1):
    try:
      _deliver(message, settings, password)
      return
    except (smtplib.SMTPException, OSError, UnicodeError) as err:
      reason, is_final = _reason(err)
      if is_final:
        break
    if number < settings.retries:
      pause(2.0**number)
  raise NotToldError(reason)


def _deliver(
  message: email.message.EmailMessage, settings: NotifyConfig, password: str | None
) -> None:
  host, port = settings.smtp_address
  context = ssl.create_default_context()
  if settings.smtp_security == "tls":
    server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=settings.timeout_s, context=context)
  else:
    server = smtplib.SMTP(host, port, timeout=settings.timeout_s)
  with server:
    if settings.smtp_security == "starttls":
      server.starttls(context=context)
    if settings.smtp_user is not None and password is not None:
      server.login(settings.smtp_user, password)
    refused = server.send_message(message)
  if refused:
    raise smtplib.SMTPRecipientsRefused(refused)


def _reason(err: Exception) -> tuple[str, bool]:
  """Returns why the server took nothing, and whether trying again finds the same."""
  if isinstance(err, UnicodeError):
    return "the name and the password must be of ASCII characters", True
  if isinstance(err, smtplib.SMTPRecipientsRefused):
    codes = [code for code, _ in err.recipients.values()]
    who = ", ".join(err.recipients)
    return f"the mail server refused {who}", all(code >= 500 for code in codes)
  if isinstance(err, smtplib.SMTPAuthenticationError):
    return f"the mail server refused the name or the password ({err.smtp_code})", True
  if isinstance(err, smtplib.SMTPNotSupportedError):
    return f"the mail server cannot do that: {err}", True
  if isinstance(err, smtplib.SMTPResponseException):
    return f"the mail server answered {err.smtp_code}", err.smtp_code >= 500
  if isinstance(err, TimeoutError):
    return "the mail server did not answer in time", False
  if isinstance(err, ssl.SSLError):
    return f"the connection is not safe: {err.reason or 'TLS failed'}", True
  if isinstance(err, OSError) and err.strerror:
    return f"the mail server cannot be reached: {err.strerror}", False
  return f"the mail server broke off ({type(err).__name__})", False
