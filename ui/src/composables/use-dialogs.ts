// What the whole application shows over a page: a line that something was done or went wrong, and the question before
// it is done.

import { inject, shallowRef, type InjectionKey } from 'vue';
import { useI18n } from 'vue-i18n';
import { useProblem } from './use-problem.ts';

export interface Question {
  title: string;
  text: string;
  /** What must be typed before it can be answered with yes; for what cannot be undone. */
  phrase?: string;
  action: string;
}

const KEY: InjectionKey<Dialogs> = Symbol('dialogs');

export type Dialogs = ReturnType<typeof createDialogs>;
export const dialogsKey = KEY;

export function createDialogs() {
  const notice = shallowRef<{ text: string; isError: boolean }>();
  const question = shallowRef<Question>();
  let settle: ((yes: boolean) => void) | undefined;
  return {
    notice,
    question,
    tell(text: string, isError = false) {
      notice.value = { text, isError };
    },
    confirm(asked: Question): Promise<boolean> {
      settle?.(false);
      question.value = asked;
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

  /** Runs what a button does; tells of a failure, and `done` of success. Resolves with whether it went well. */
  const attempt = async (work: () => Promise<unknown>, done?: string): Promise<boolean> => {
    try {
      await work();
      if (done) dialogs.tell(done);
      return true;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return false;
      dialogs.tell(describe(error), true);
      return false;
    }
  };
  /** Attempts what deletes something, once the reader is sure. Resolves with whether it is gone. */
  const removeIfSure = async (question: Question, work: () => Promise<unknown>): Promise<boolean> =>
    (await dialogs.confirm(question)) && (await attempt(work, t('common.deleted')));
  return { ...dialogs, attempt, removeIfSure };
}
