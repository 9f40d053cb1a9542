// Drawings of the goods: a shape by kind, a colour by name. Nothing is loaded.

const COLOURS = {
  blue: ['#4f76a3', '#2f4f78'], cream: ['#efe2c4', '#b9a57b'], green: ['#6d9b6b', '#406b45'], grey: ['#9aa0a6', '#62686e'],
  mustard: ['#d9a532', '#9a6f14'], red: ['#c4544b', '#8a302b'], brass: ['#c9a14a', '#86652a'], iron: ['#6b6f76', '#3e4248'],
  white: ['#f7f4ee', '#b9b2a3'], terracotta: ['#c9784f', '#8f4c2c'], willow: ['#b58a5a', '#7a5833'],
  cedar: ['#a8653c', '#6f3f22'], clove: ['#8a5a44', '#573526'], fig: ['#7d5a86', '#513659'], honey: ['#e0b04c', '#a67a1e'],
  lavender: ['#a493c9', '#6d5c96'], pine: ['#5b8a72', '#356049'], rose: ['#d98a97', '#a35663'], sea: ['#7fb0b8', '#4c7f89'],
};
const BY_CATEGORY = [['#8aa37b', '#566c49'], ['#b98b5e', '#7d5833'], ['#7f93a8', '#4f6278'], ['#c08a6b', '#865639'], ['#a58fb0', '#6f5a7b']];

const petals = (n, cx, cy, r, fill) => Array.from({ length: n }, (_, i) => {
  const angle = (2 * Math.PI * i) / n;
  return <circle key={i} cx={cx + r * Math.cos(angle)} cy={cy + r * Math.sin(angle)} r={r * 0.62} fill={fill} />;
});

// Each on 120 × 120, of a colour and its shade.
const SHAPES = {
  lantern: (c, d) => <><path d="M42 34a18 18 0 0 1 36 0" fill="none" stroke={d} stroke-width="4" /><path d="M46 36h28l8 10H38z" fill={d} /><rect x="42" y="46" width="36" height="40" fill="#fbe9b7" /><path d="M60 54c7 8 9 12 9 17a9 9 0 0 1-18 0c0-5 2-9 9-17z" fill="#e58a2c" /><path d="M42 46v40M78 46v40M60 46v6" stroke={c} stroke-width="5" /><path d="M36 86h48v10H36z" fill={c} /></>,
  mug: (c, d) => <><path d="M80 50h8a14 14 0 0 1 0 28h-8" fill="none" stroke={d} stroke-width="8" /><path d="M34 38h48v44a12 12 0 0 1-12 12H46a12 12 0 0 1-12-12z" fill={c} /><ellipse cx="58" cy="38" rx="24" ry="6" fill={d} /></>,
  plate: (c, d) => <><ellipse cx="60" cy="64" rx="46" ry="34" fill={d} /><ellipse cx="60" cy="61" rx="46" ry="34" fill={c} /><ellipse cx="60" cy="61" rx="30" ry="21" fill="none" stroke={d} stroke-width="2.5" /></>,
  bowl: (c, d) => <><path d="M20 52h80c0 26-16 40-40 40S20 78 20 52z" fill={c} /><ellipse cx="60" cy="52" rx="40" ry="9" fill={d} /><path d="M48 92h24l3 6H45z" fill={d} /></>,
  apron: (c, d) => <><path d="M46 26c0-10 28-10 28 0" fill="none" stroke={d} stroke-width="4" /><path d="M46 26h28l4 24 14 8v40H28V58l14-8z" fill={c} /><rect x="44" y="66" width="32" height="18" rx="3" fill={d} /></>,
  candle: (c, d) => <><path d="M60 22c5 7 7 10 7 14a7 7 0 0 1-14 0c0-4 2-7 7-14z" fill="#e9962f" /><path d="M60 42v10" stroke="#444" stroke-width="3" /><path d="M38 52h44v40a6 6 0 0 1-6 6H44a6 6 0 0 1-6-6z" fill={c} /><rect x="44" y="66" width="32" height="18" rx="2" fill="#fff8" /><path d="M38 52h44v6H38z" fill={d} /></>,
  cushion: (c, d) => <><path d="M26 30c20 6 48 6 68 0-6 20-6 44 0 64-20-6-48-6-68 0 6-20 6-44 0-64z" fill={c} /><path d="M40 44h40v36H40z" fill="none" stroke={d} stroke-width="2.5" stroke-dasharray="5 4" /><circle cx="60" cy="62" r="4" fill={d} /></>,
  pot: (c, d) => <><path d="M34 50h52l-7 44a6 6 0 0 1-6 4H47a6 6 0 0 1-6-4z" fill={c} /><rect x="28" y="38" width="64" height="14" rx="3" fill={d} /><path d="M60 38c-2-14-14-16-20-14 2 8 10 14 20 14zm0 0c2-16 14-20 22-18-2 10-10 18-22 18z" fill="#6f9a5f" /></>,
  saucer: (c, d) => <><ellipse cx="60" cy="70" rx="46" ry="16" fill={d} /><ellipse cx="60" cy="64" rx="46" ry="16" fill={c} /><ellipse cx="60" cy="64" rx="34" ry="10" fill={d} opacity=".5" /></>,
  ribbon: (c, d) => <><circle cx="60" cy="52" r="28" fill={c} /><circle cx="60" cy="52" r="28" fill="none" stroke={d} stroke-width="3" /><circle cx="60" cy="52" r="10" fill="#fff9" stroke={d} stroke-width="3" /><path d="M76 74c8 8 4 18 16 24l-12 4c-10-8-6-18-16-24z" fill={d} /></>,
  scarf: (c, d) => <><path d="M34 32c18-10 34-10 52 0l-6 18c-14-6-26-6-40 0z" fill={d} /><path d="M50 46h22l6 48H52z" fill={c} /><path d="M51 62h24M52 76h25" stroke={d} stroke-width="5" /><path d="M54 94v8m7-8v8m7-8v8m7-8v8" stroke={c} stroke-width="3" /></>,
  seeds: (c, d) => <><rect x="34" y="22" width="52" height="78" rx="4" fill="#f5ead2" /><path d="M34 26a4 4 0 0 1 4-4h44a4 4 0 0 1 4 4v12H34z" fill={d} /><path d="M60 90V62" stroke="#5b8a4f" stroke-width="4" />{petals(6, 60, 58, 9, c)}<circle cx="60" cy="58" r="6" fill="#f3c64d" /><path d="M60 82c-4-8-12-8-16-6 2 6 8 10 16 6z" fill="#6f9a5f" /></>,
  soap: (c, d) => <><rect x="24" y="46" width="72" height="40" rx="18" fill={d} /><rect x="24" y="42" width="72" height="40" rx="18" fill={c} /><rect x="38" y="53" width="44" height="18" rx="9" fill="none" stroke={d} stroke-width="2.5" /><circle cx="88" cy="32" r="7" fill="#fff8" /><circle cx="76" cy="24" r="4" fill="#fff8" /></>,
  sock: (c, d) => <><path d="M50 22h26v40c0 6 4 8 10 14 8 8 2 20-10 20H58c-18 0-24-18-12-28 4-4 4-6 4-10z" fill={c} transform="translate(-6 2)" /><path d="M44 24h26v12H44z" fill={d} /><path d="M44 44h26M44 52h26" stroke={d} stroke-width="4" /></>,
  teapot: (c, d) => <><path d="M84 52l16-8-6 24-12 8z" fill={d} /><path d="M36 56c-22-4-22 26 2 24" fill="none" stroke={d} stroke-width="6" /><path d="M36 58c0-14 12-20 25-20s25 6 25 20c0 20-6 34-25 34S36 78 36 58z" fill={c} /><path d="M46 40c4-8 26-8 30 0z" fill={d} /><circle cx="61" cy="30" r="5" fill={d} /></>,
  towel: (c, d) => <><path d="M24 30h72" stroke="#8b6b45" stroke-width="6" stroke-linecap="round" /><path d="M36 30h48v66H36z" fill={c} /><path d="M36 76h48M36 84h48" stroke={d} stroke-width="4" /><path d="M44 30v66M76 30v66" stroke={d} stroke-width="1.5" opacity=".6" /></>,
  yarn: (c, d) => <><circle cx="58" cy="60" r="32" fill={c} /><path d="M30 50c20-6 40 0 54 18M28 64c18-8 36-2 46 18M38 36c20 2 38 14 50 30M40 84c8-20 24-36 44-42" fill="none" stroke={d} stroke-width="3" /><path d="M82 82c10 6 10 14 22 12" fill="none" stroke={c} stroke-width="4" /></>,
  blanket: (c, d) => <><rect x="26" y="40" width="68" height="52" rx="10" fill={c} /><path d="M26 54h68M26 68h68M26 82h68M44 40v52M62 40v52M80 40v52" stroke={d} stroke-width="3" opacity=".7" /><path d="M46 40c0-16 28-16 28 0" fill="none" stroke="#7a5833" stroke-width="5" /></>,
  card: (c, d) => <><rect x="26" y="32" width="58" height="68" rx="3" fill={d} transform="rotate(-6 55 66)" /><rect x="34" y="28" width="58" height="68" rx="3" fill="#faf5ea" /><path d="M63 76c-20-14-18-28-8-28 5 0 7 4 8 7 1-3 3-7 8-7 10 0 12 14-8 28z" fill={c} /></>,
  gift: (c, d) => <><rect x="22" y="42" width="76" height="46" rx="6" fill={c} /><path d="M22 60h76" stroke={d} stroke-width="8" /><path d="M60 42c-16-2-20-18-8-18 8 0 8 12 8 18zm0 0c16-2 20-18 8-18-8 0-8 12-8 18z" fill="none" stroke={d} stroke-width="4" /></>,
  Garden: (c, d) => <><path d="M60 100V54" stroke="#7a5833" stroke-width="6" /><path d="M60 62c-4-22-24-28-36-26 2 16 16 28 36 26z" fill={c} /><path d="M60 54c4-22 22-30 36-28-2 18-16 30-36 28z" fill={d} /></>,
  Kitchen: (c, d) => <><path d="M44 100V58" stroke={d} stroke-width="7" stroke-linecap="round" /><ellipse cx="44" cy="42" rx="13" ry="20" fill={c} /><path d="M78 100V60" stroke={d} stroke-width="7" stroke-linecap="round" /><path d="M66 24v22a12 12 0 0 0 24 0V24M78 24v30" fill="none" stroke={c} stroke-width="5" stroke-linecap="round" /></>,
  Home: (c, d) => <><path d="M60 24L22 56h10v40h56V56h10z" fill={c} /><path d="M52 96V72h16v24z" fill={d} /><path d="M60 24L18 60M60 24l42 36" stroke={d} stroke-width="6" stroke-linecap="round" /></>,
  Paper: (c, d) => <><rect x="34" y="24" width="56" height="74" rx="4" fill={c} /><path d="M34 24h12v74H38a4 4 0 0 1-4-4z" fill={d} /><path d="M56 42h24M56 54h24M56 66h16" stroke="#fffb" stroke-width="4" stroke-linecap="round" /></>,
  Toys: (c, d) => <><rect x="24" y="62" width="34" height="34" rx="3" fill={c} /><rect x="62" y="62" width="34" height="34" rx="3" fill={d} /><rect x="43" y="26" width="34" height="34" rx="3" fill="#d9a532" /><circle cx="60" cy="43" r="8" fill="#fffa" /><path d="M79 70l9 18H70z" fill="#fffa" /></>,
  Outdoors: (c, d) => <><circle cx="60" cy="62" r="36" fill={d} /><circle cx="60" cy="62" r="29" fill="#faf5ea" /><path d="M60 38l9 24-9 24-9-24z" fill={c} /><path d="M60 38l9 24H51z" fill="#c4544b" /><circle cx="60" cy="62" r="4" fill={d} /></>,
  Party: (c, d) => <><path d="M16 34c30 16 58 16 88 0" fill="none" stroke="#7a5833" stroke-width="3" /><path d="M22 38l8 26 12-20zM48 46l10 26 12-26zM78 44l12 20 8-26z" fill={c} /><path d="M48 46l10 26 12-26z" fill={d} /><circle cx="38" cy="88" r="6" fill="#d9a532" /><circle cx="80" cy="90" r="5" fill="#c4544b" /><circle cx="60" cy="98" r="4" fill="#4f76a3" /></>,
};

const KINDS = [
  [/lantern/i, 'lantern'], [/\bmug\b/i, 'mug'], [/saucer/i, 'saucer'], [/plate/i, 'plate'], [/\bbowl\b/i, 'bowl'], [/apron/i, 'apron'],
  [/candle/i, 'candle'], [/cushion/i, 'cushion'], [/\bpot\b/i, 'pot'], [/ribbon/i, 'ribbon'], [/scarf/i, 'scarf'], [/seeds/i, 'seeds'],
  [/soap/i, 'soap'], [/sock/i, 'sock'], [/teapot/i, 'teapot'], [/towel/i, 'towel'], [/yarn/i, 'yarn'], [/blanket/i, 'blanket'],
  [/\bcards?\b|postcard/i, 'card'], [/voucher/i, 'gift'],
];

function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum;
}

export function Picture({ sku, name, category }) {
  const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? (category in SHAPES ? category : 'Home');
  const colour = Object.keys(COLOURS).find((word) => new RegExp(`\\b${word}\\b`, 'i').test(name));
  const [light, dark] = COLOURS[colour] ?? BY_CATEGORY[hash(sku) % BY_CATEGORY.length];
  return (
    <svg class={`picture tint${hash(sku) % 4}`} viewBox="0 0 120 120" aria-hidden="true">
      <ellipse cx="60" cy="101" rx="38" ry="6" class="shadow" />
      {SHAPES[kind](light, dark)}
    </svg>
  );
}
