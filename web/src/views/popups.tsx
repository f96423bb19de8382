/** The tooltip, the menu and the short notices. */
import { createEffect, createSignal, For, onCleanup, Show, type JSX } from "solid-js";
import { useApp } from "./app.ts";

/** Keeps a box of this size beside a point and within the page. */
function beside(
  x: number,
  y: number,
  width: number,
  height: number,
  gap: number,
): { left: string; top: string } {
  const left = x + gap + width > window.innerWidth - 6 ? x - gap - width : x + gap;
  const top = y + gap + height > window.innerHeight - 6 ? y - gap - height : y + gap;
  return {
    left: `${String(Math.max(6, Math.min(left, window.innerWidth - width - 6)))}px`,
    top: `${String(Math.max(6, Math.min(top, window.innerHeight - height - 6)))}px`,
  };
}

export function Tooltip(): JSX.Element {
  const app = useApp();
  let box: HTMLDivElement | undefined;
  const [place, setPlace] = createSignal<{ left: string; top: string }>({ left: "0", top: "0" });
  createEffect(() => {
    const tip = app.tip();
    if (tip && box) setPlace(beside(tip.x, tip.y, box.offsetWidth, box.offsetHeight, 14));
  });
  return (
    <Show when={app.tip()}>
      {(tip) => (
        <div class="tooltip" role="tooltip" ref={box} style={place()}>
          {tip().content()}
        </div>
      )}
    </Show>
  );
}

export function MenuPopup(): JSX.Element {
  const app = useApp();
  return (
    <Show when={app.menu()} keyed>
      {(menu) => {
        const before = document.activeElement;
        const [place, setPlace] = createSignal<{ left: string; top: string }>({ left: "0", top: "0" });
        let box: HTMLDivElement | undefined;
        const close = () => {
          app.setMenu(null);
          if (before instanceof HTMLElement) before.focus();
        };
        const outside = (event: PointerEvent) => {
          if (box && !box.contains(event.target as Node)) app.setMenu(null);
        };
        window.addEventListener("pointerdown", outside, true);
        onCleanup(() => {
          window.removeEventListener("pointerdown", outside, true);
        });
        queueMicrotask(() => {
          if (!box) return;
          setPlace(beside(menu.x, menu.y, box.offsetWidth, box.offsetHeight, 2));
          box.querySelector<HTMLButtonElement>("button:not(:disabled)")?.focus();
        });
        const keys = (event: KeyboardEvent) => {
          const all = [...(box?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
          const at = all.findIndex((one) => one === document.activeElement);
          if (event.key === "Escape" || event.key === "Tab") close();
          else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
          else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
          else if (event.key === "Home") all[0]?.focus();
          else if (event.key === "End") all.at(-1)?.focus();
          else return;
          event.preventDefault();
          event.stopPropagation();
        };
        return (
          <div class="menu" role="menu" ref={box} style={place()} onKeyDown={keys}>
            <Show when={menu.head}>
              <div class="head">{menu.head}</div>
            </Show>
            <For each={menu.items}>
              {(item) =>
                item === null ? (
                  <hr />
                ) : (
                  <button
                    role={item.checked === undefined ? "menuitem" : "menuitemcheckbox"}
                    aria-checked={item.checked}
                    disabled={item.disabled ?? false}
                    onClick={() => {
                      close();
                      item.run();
                    }}
                  >
                    <Show when={item.checked !== undefined}>
                      <span class="check" aria-hidden="true">
                        {item.checked ? "✓" : ""}
                      </span>
                    </Show>
                    {item.label}
                    <Show when={item.key}>
                      <kbd>{item.key}</kbd>
                    </Show>
                  </button>
                )
              }
            </For>
          </div>
        );
      }}
    </Show>
  );
}

export function Toast(): JSX.Element {
  const app = useApp();
  return (
    <>
      <Show when={app.toast()}>
        <div class="toast" role="status">
          {app.toast()}
        </div>
      </Show>
      <div class="hidden-table" aria-live="polite">
        {app.spoken()}
      </div>
    </>
  );
}
