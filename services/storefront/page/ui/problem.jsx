// What went wrong, in words for whoever shops; where goods are short, by how much, and the way out.

export function Problem({ problem, products, adjust }) {
  if (!problem) return null;
  return (
    <div class="notice warn problem" role="alert" data-code={problem.code}>
      <div>
        <p>{problem.message}</p>
        {problem.lines?.length > 0 && (
          <ul>
            {problem.lines.map(({ sku, quantity, available }) => (
              <li key={sku}>
                {products[sku]?.name ?? sku}: you want {quantity},{' '}
                {available === 0 ? 'none is left' : `${available} ${available === 1 ? 'is' : 'are'} left`}.{' '}
                <button class="plain" onClick={() => adjust(sku, available)}>
                  {available === 0 ? 'Take it out' : `Take ${available}`}
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
