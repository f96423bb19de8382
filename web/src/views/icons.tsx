/** Small line pictures, drawn here so that nothing is fetched. */
import type { JSX } from "solid-js";

function Icon(props: { d: string; size?: number }): JSX.Element {
  return (
    <svg
      width={props.size ?? 16}
      height={props.size ?? 16}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={props.d} />
    </svg>
  );
}

export const SearchIcon = () => (
  <Icon d="M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4 14 14" size={15} />
);
export const CloseIcon = () => <Icon d="M4.5 4.5l7 7M11.5 4.5l-7 7" size={12} />;
export const UndoIcon = () => <Icon d="M3 6.5h6.5a3.5 3.5 0 0 1 0 7H7M3 6.5 6 3.5M3 6.5l3 3" />;
export const RedoIcon = () => <Icon d="M13 6.5H6.5a3.5 3.5 0 0 0 0 7H9M13 6.5l-3-3M13 6.5l-3 3" />;
export const SunIcon = () => (
  <Icon d="M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9" />
);
export const MoonIcon = () => <Icon d="M13.5 9.4A5.6 5.6 0 0 1 6.6 2.5a5.7 5.7 0 1 0 6.9 6.9Z" />;
export const AutoIcon = () => (
  <Icon d="M8 13.8A5.8 5.8 0 1 0 8 2.2a5.8 5.8 0 0 0 0 11.6ZM8 2.2v11.6M8 5l4.6-.9M8 8h5.8M8 11l4.6.9" />
);
export const HelpIcon = () => (
  <Icon d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.3 6.2a1.75 1.75 0 1 1 2.5 1.6c-.6.3-.8.6-.8 1.2M8 11.2v.1" />
);
export const UpIcon = () => <Icon d="M4 10l4-4 4 4" size={14} />;
export const DownIcon = () => <Icon d="M4 6l4 4 4-4" size={14} />;
export const RightIcon = () => <Icon d="M6 4l4 4-4 4" size={12} />;
export const FoldIcon = () => <Icon d="M4 6l4 4 4-4" size={12} />;
export const FunnelIcon = () => <Icon d="M2.5 3h11L9.5 8.2v4.3l-3 1V8.2L2.5 3Z" size={14} />;
export const FitIcon = () => <Icon d="M2.5 5.5v-3h3M13.5 5.5v-3h-3M2.5 10.5v3h3M13.5 10.5v3h-3" size={14} />;
export const PlusIcon = () => <Icon d="M8 3.5v9M3.5 8h9" size={14} />;
export const MinusIcon = () => <Icon d="M3.5 8h9" size={14} />;
export const CurveIcon = () => <Icon d="M2 12.5c2.5 0 2.5-7 5-7s2.5 4 4 4 1.5-3 3-6" size={14} />;
export const RowsIcon = () => <Icon d="M2.5 4h11M2.5 8h6M2.5 12h9" size={14} />;
export const TableIcon = () => <Icon d="M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6" size={14} />;

export function Mark(): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <rect width="16" height="16" rx="3.5" fill="#10141b" />
      <rect x="2.5" y="3" width="11" height="2.4" rx=".6" fill="#f0a35a" />
      <rect x="2.5" y="6.2" width="7.6" height="2.4" rx=".6" fill="#e07b39" />
      <rect x="2.5" y="9.4" width="4.6" height="2.4" rx=".6" fill="#3fb59b" />
      <rect x="7.6" y="9.4" width="2.5" height="2.4" rx=".6" fill="#5aa9ff" />
    </svg>
  );
}
