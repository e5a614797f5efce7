// Tables of uploads and downloads over time. Rows outlive their artefact.

export interface TransferSchema {
  daily_transfers: DailyTransfersTable;
  monthly_transfers: MonthlyTransfersTable;
}

interface Transfers {
  artefact_id: string;
  uploads: number;
  uploaded_bytes: number;
  downloads: number;
  downloaded_bytes: number;
}

interface DailyTransfersTable extends Transfers {
  /** `2026-01-31`, UTC. */
  day: string;
}

/** Whole months whose days are no longer kept. */
interface MonthlyTransfersTable extends Transfers {
  /** `2026-01`. */
  month: string;
}
