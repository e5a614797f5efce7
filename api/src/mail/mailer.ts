// Mail over SMTP. nodemailer is loaded when there is something to send.

export interface Mail {
  to: string[];
  /** One line. */
  subject: string;
  /** Plain text. */
  text: string;
}

export interface Mailer {
  /** Hands a mail to the server. @throws what nodemailer does when it is not taken */
  send(mail: Mail): Promise<void>;
}

export interface MailerOptions {
  /** SMTP_URL: `smtp://…` or `smtps://…`. */
  url: string;
  /** MAIL_FROM. */
  from: string;
}

/** How long the mail server may keep silent. */
const TIMEOUT_MS = 10_000;

export function createMailer({ url, from }: MailerOptions): Mailer {
  return {
    async send({ to, subject, text }) {
      const { createTransport } = await import('nodemailer');
      const transport = createTransport({
        url,
        connectionTimeout: TIMEOUT_MS,
        greetingTimeout: TIMEOUT_MS,
        socketTimeout: TIMEOUT_MS,
      });
      try {
        await transport.sendMail({ from, to, subject, text, disableFileAccess: true, disableUrlAccess: true });
      } finally {
        transport.close();
      }
    },
  };
}
