import type { Account } from '../../api/types.ts';

type Labelled = Account & { departmentName?: string };

/** `Acme`, or `Acme / Geography` for a department of it. */
export function accountLabel({ id, name, department, departmentName }: Labelled): string {
  return department ? `${name ?? id} / ${departmentName ?? department}` : (name ?? id);
}

export function isSameAccount(one: Account, other: Account | undefined): boolean {
  return one.type === other?.type && one.id === other.id && (one.department ?? '') === (other.department ?? '');
}
