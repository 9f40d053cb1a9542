// A modal dialog of the browser's: it keeps the focus inside, Escape closes it, and the focus returns to where it was.

import { useEffect, useRef } from 'preact/hooks';

export function Dialog({ open, close, title, children, ...more }) {
  const dialog = useRef();
  useEffect(() => {
    if (open && !dialog.current.open) dialog.current.showModal();
    if (!open && dialog.current.open) dialog.current.close();
  }, [open]);
  const onBackdrop = (event) => {
    if (event.target === dialog.current) close();
  };
  return (
    <dialog ref={dialog} aria-label={title} onClose={close} onClick={onBackdrop} {...more}>
      {open && (
        <div class="inside">
          <div class="bar">
            <h2>{title}</h2>
            <button class="plain close" aria-label="Close" onClick={close}>
              ×
            </button>
          </div>
          {children}
        </div>
      )}
    </dialog>
  );
}
