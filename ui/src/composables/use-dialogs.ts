// Notifications and confirmation dialogs of the whole application.

import { inject, shallowRef, type InjectionKey } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Frame } from './use-frame.ts';
import { useProblem } from './use-problem.ts';

export interface Question {
  title: string;
  text: string;
  /** Text that must be typed to confirm an action that cannot be undone. */
  phrase?: string;
  action: string;
}

const KEY: InjectionKey<Dialogs> = Symbol('dialogs');

export type Dialogs = ReturnType<typeof createDialogs>;
export const dialogsKey = KEY;

/** @param frame shows the notices instead, if there is one */
export function createDialogs(frame: Pick<Frame, 'notify'>) {
  const notice = shallowRef<{ text: string; isError: boolean }>();
  const question = shallowRef<Question>();
  let settle: ((yes: boolean) => void) | undefined;
  return {
    notice,
    question,
    notify(text: string, isError = false) {
      const [title = '', ...rest] = text.split('\n');
      const detail = rest.length > 0 ? { detail: rest.join('\n') } : {};
      if (frame.notify({ type: isError ? 'error' : 'success', title, ...detail })) return;
      notice.value = { text, isError };
    },
    /** Asks for confirmation; a question that is still open is answered with no. */
    confirm(nextQuestion: Question): Promise<boolean> {
      settle?.(false);
      question.value = nextQuestion;
      return new Promise((resolve) => {
        settle = resolve;
      });
    },
    answer(yes: boolean) {
      settle?.(yes);
      question.value = settle = undefined;
    },
  };
}

export function useDialogs() {
  const dialogs = inject(KEY);
  if (!dialogs) throw new Error('The application provides no dialogs.');
  const describe = useProblem();
  const { t } = useI18n();

  /** Runs an action and reports a failure, or success with `successText`. Resolves with whether it succeeded. */
  const attempt = async (work: () => Promise<unknown>, successText?: string): Promise<boolean> => {
    try {
      await work();
      if (successText) dialogs.notify(successText);
      return true;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return false;
      dialogs.notify(describe(error), true);
      return false;
    }
  };
  /** Runs a deletion once the user has confirmed it. Resolves with whether it succeeded. */
  const confirmAndRemove = async (question: Question, work: () => Promise<unknown>): Promise<boolean> =>
    (await dialogs.confirm(question)) && (await attempt(work, t('common.deleted')));
  return { ...dialogs, attempt, confirmAndRemove };
}
