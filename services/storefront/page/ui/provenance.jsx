// Where a count comes from: what this page believes, and beside it what the stock service says when it is asked now, with
// the trail of the layers that it looked into, and what the ledger makes of the page's belief.

import { useEffect, useState } from 'preact/hooks';

import { request } from '../api.js';
import { knownThrough } from '../store/levels.js';
import { count, duration, exactTime, day } from '../words.js';
import { Dialog } from './dialog.jsx';
import { useShop, useWitness } from './store.js';

const EFFECTS = { hide: 'hides it', cap: 'caps what is shown', end_sale: 'ends its sale' };

export function Provenance({ sku, close }) {
  const witness = useWitness();
  const { level, product, link } = useShop(({ levels, products, link: { state, heard, now } }) => ({
    level: levels.entities[sku],
    product: products.entities[sku],
    link: `${state} ${heard} ${now}`,
  }));
  const [state, heard, now] = link.split(' ').map((word, i) => (i === 0 ? word : word === 'null' ? null : Number(word)));
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState(null);
  const [judged, setJudged] = useState(null);
  const ask = () => {
    setProblem(null);
    request('GET', `/api/products/${encodeURIComponent(sku)}`).then(setAnswer, (error) =>
      setProblem(error.body?.message ?? 'The shop cannot be reached.'),
    );
    void witness.ask(sku).then(setJudged);
  };
  useEffect(ask, [sku]);
  if (!level) return null;
  const trueThrough = knownThrough(level, heard, now);
  return (
    <Dialog open close={close} title={`Where this count comes from`} class="provenance">
      <p class="what">
        {product?.name ?? sku} <code>{sku}</code>
      </p>
      <section aria-label="This page">
        <h3>This page believes</h3>
        <dl>
          <div>
            <dt>Available</dt>
            <dd data-part="believed">{level.exists ? count(level.available) : 'no such count'}</dd>
          </div>
          <div>
            <dt>Version</dt>
            <dd data-part="believed-version">{level.version}</dd>
          </div>
          <div>
            <dt>Told by</dt>
            <dd>{level.layer}</dd>
          </div>
          <div>
            <dt>Known true through</dt>
            <dd>
              {trueThrough === null
                ? 'not known'
                : state === 'live'
                  ? `${exactTime(trueThrough)}, ${duration(now - trueThrough)} ago`
                  : day(trueThrough, now)}
            </dd>
          </div>
          <div>
            <dt>Believed since</dt>
            <dd>{exactTime(level.believedSince)}</dd>
          </div>
        </dl>
        {judged && (
          <p class={`verdict ${judged.verdict}`} data-part="verdict">
            <b>{judged.verdict.replaceAll('_', ' ')}</b> {judged.words}
          </p>
        )}
      </section>
      <Offer level={level} now={now} />
      <section aria-label="The stock service" aria-live="polite">
        <h3>The stock service says now</h3>
        {problem && <p class="problem">{problem}</p>}
        {!problem && !answer && <p>Asking…</p>}
        {answer && (
          <>
            <dl>
              <div>
                <dt>Available</dt>
                <dd data-part="available">{answer.level.exists ? count(answer.level.available) : 'no such count'}</dd>
              </div>
              <div>
                <dt>Version</dt>
                <dd data-part="version">
                  {answer.level.version}, committed {exactTime(answer.level.asOf)}
                </dd>
              </div>
              <div>
                <dt>Answered by</dt>
                <dd data-part="layer">{answer.level.layer}</dd>
              </div>
              <div>
                <dt>Age</dt>
                <dd data-part="age">
                  {duration(answer.provenance.age)} (± {duration(answer.provenance.uncertainty)})
                </dd>
              </div>
              <div>
                <dt>Instance</dt>
                <dd>{answer.provenance.instance}</dd>
              </div>
            </dl>
            <table>
              <caption>The trail</caption>
              <thead>
                <tr>
                  <th>Layer</th>
                  <th>Outcome</th>
                  <th>Time</th>
                </tr>
              </thead>
              <tbody>
                {answer.provenance.trail.map(({ layer, outcome, time, detail }) => (
                  <tr key={layer + outcome}>
                    <th scope="row">{layer}</th>
                    <td>
                      {outcome.replaceAll('_', ' ')}
                      {detail && <small> {detail}</small>}
                    </td>
                    <td>{duration(time)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        )}
        <button class="plain" onClick={ask}>
          Ask again
        </button>
      </section>
    </Dialog>
  );
}

// What the flags make of the count for this visitor.
function Offer({ level: { offer, toldAt }, now }) {
  if (!offer) return null;
  const applied = offer.flags.filter(({ applies }) => applies);
  return (
    <section aria-label="Flags">
      <h3>Of it you are offered {offer.hidden ? 'nothing: it is hidden' : count(offer.available)}</h3>
      {applied.length === 0 && <p>No feature flag changes what you see.</p>}
      {applied.map(({ flag, effect, variant, reason, age, unreachable }) => (
        <p key={flag} data-part="flag">
          <code>{flag}</code> {EFFECTS[effect] ?? effect}: variant <code>{variant || 'none'}</code> ({reason || 'no reason'}),{' '}
          {age === null ? 'of unknown age' : `${duration(age + Math.max(0, now - toldAt))} old`}
          {unreachable && ', the flag service cannot be reached'}
        </p>
      ))}
    </section>
  );
}
