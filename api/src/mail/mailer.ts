// Sends e-mail over SMTP. nodemailer is loaded at the first message.

export interface Mail {
  to: string[];
  /** One line. */
  subject: string;
  /** Plain text. */
  text: string;
}

export interface Mailer {
  /** Sends a mail. @throws nodemailer's error if the server does not accept it */
  send(mail: Mail): Promise<void>;
}

export interface MailerOptions {
  /** SMTP_URL: `smtp://…` or `smtps://…`. */
  url: string;
  /** MAIL_FROM. */
  from: string;
}

/** Time limit for each step of the mail server. */
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
