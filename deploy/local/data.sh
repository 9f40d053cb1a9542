# The data that `up` keeps between runs: where it is, what is in it, and loading it.
# Sourced by it, not run; it has the functions say and stockctl.
#
# The folder holds those of the servers, and two notes: `origin` says what was loaded, from before
# the first row is; `loaded` is there once all of it is in, and names a key of it.
# shellcheck shell=bash

readonly SAMPLE_DIR=$LOCAL_DIR/sample

# For root PostgreSQL runs as user postgres, who may not be able to enter the checkout.
if ((EUID == 0)); then
  DATA_DIR=/var/tmp/stockwitness-$(sha256sum <<<"$ROOT_DIR" | cut -c1-12)
else
  DATA_DIR=$ROOT_DIR/build/local/data
fi
readonly DATA_DIR

# Everyone may make a folder in /var/tmp.
own_data_dir() {
  mkdir -p -- "$DATA_DIR"
  [[ -O $DATA_DIR && ! -L $DATA_DIR ]] || fail "$DATA_DIR belongs to somebody else"
}

forget_data() {
  own_data_dir
  rm -rf -- "$DATA_DIR"/{primary,replica}{,.making} "$DATA_DIR"/{redis,prometheus,origin,loaded,products.csv}
}

# origin_of FILE: what people are told is loaded.
origin_of() {
  if [[ -n $1 ]]; then
    echo "${1##*/} ($(stat --dereference --format=%s -- "$1") bytes)"
  else
    echo "the sample"
  fi
}

# check_data FILE: refuses to mix FILE, or the sample where it is empty, with other data.
check_data() {
  local wanted held
  own_data_dir
  wanted=$(origin_of "$1")
  [[ -e $DATA_DIR/origin ]] || return 0
  [[ -n $1 || ! -e $DATA_DIR/loaded ]] || return 0  # no wish: what is there is fine
  held=$(<"$DATA_DIR/origin")
  [[ $held == "$wanted" ]] || fail "$DATA_DIR holds $held: add --fresh to have $wanted in its place"
}

# load_data FILE: after check_data. A file imported or replayed twice counts once, so a load that
# was interrupted is simply begun again.
load_data() {
  if [[ -e $DATA_DIR/loaded ]]; then
    say data "$(<"$DATA_DIR/origin"), loaded earlier, in $DATA_DIR"
    return
  fi
  origin_of "$1" >"$DATA_DIR/origin"
  say data "$(<"$DATA_DIR/origin"), in $DATA_DIR"
  if [[ -n $1 ]]; then load_file "$1"; else load_sample; fi
  mv -- "$DATA_DIR/loaded.new" "$DATA_DIR/loaded"
}

load_file() {
  local sku
  xz --decompress --stdout --force -- "$1" |
    node "$ROOT_DIR/services/storefront/products-of-sales.js" >"$DATA_DIR/products.csv"
  stockctl locations create main --display-name "The warehouse"
  stockctl import "$1"
  stockctl replay "$1"
  IFS=, read -r _ sku _ < <(first_row "$1")
  echo "$sku@main" >"$DATA_DIR/loaded.new"
}

load_sample() {
  stockctl locations create LON --display-name London
  stockctl locations create MAN --display-name Manchester
  stockctl locations create GLA --display-name Glasgow
  stockctl import "$SAMPLE_DIR/catalogue.csv"
  stockctl replay "$SAMPLE_DIR/sales.csv"
  echo "LANTERN-42@LON" >"$DATA_DIR/loaded.new"
}

# first_row FILE: the one after the header. With --force, xz passes on what is not compressed.
first_row() {
  { xz --decompress --stdout --force -- "$1" 2>/dev/null || true; } | sed -n '2 { p; q }'
}

example_key() {
  cat -- "$DATA_DIR/loaded"
}
