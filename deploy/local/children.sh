# Child processes of a script: parts, which run until they are stopped, and steps, which end by
# themselves. Sourced, not run.
#
# Each is in a session of its own, so that a Ctrl-C in the terminal reaches only the script, which
# then stops them in order; and each gets a SIGTERM from the kernel should the script be killed
# outright. A step is waited for in a way that a signal to the script interrupts.
# shellcheck shell=bash

readonly STOP_SECONDS=20  # how long a part may take to end, before it is killed
readonly STEP_STOP_SECONDS=90  # and a step, which may have parts of its own
LOG_DIR=  # where parts log; the script sets it

parts=()  # names, in the order of starting
declare -A part_pid
step_pid=

# In the background; its pid is then in $!. Bash would have it ignore SIGINT, by which PostgreSQL is
# stopped. Descriptor 9 is the script's own lock.
launch() {
  setpriv --pdeathsig TERM setsid env --default-signal=INT,QUIT "$@" 9>&- </dev/null &
}

# start NAME COMMAND...
start() {
  local name=$1
  shift
  launch "$@" >"$LOG_DIR/$name.log" 2>&1
  parts+=("$name")
  part_pid[$name]=$!
}

# await NAME SECONDS CONDITION...: until the condition, a command, holds for the part.
await() {
  local name=$1 patience=$2 deadline=$((SECONDS + $2))
  shift 2
  until ("$@") >/dev/null 2>&1; do
    check_parts
    if ((SECONDS >= deadline)); then
      show_log "$name"
      fail "$name was not ready within $patience s"
    fi
    sleep 0.05
  done
}

# run COMMAND...: a step; gives its exit status.
run() {
  launch "$@"
  finish_step
}

# run_logged NAME COMMAND...: a step that is only heard of, through its log, when it fails.
run_logged() {
  local name=$1 status=0
  shift
  launch "$@" >"$LOG_DIR/$name.log" 2>&1
  finish_step || status=$?
  ((status == 0)) || show_log "$name"
  return "$status"
}

finish_step() {
  local ended status=0
  step_pid=$!
  check_parts
  wait -n -p ended "$step_pid" "${part_pid[@]}" 2>/dev/null || status=$?
  [[ $ended == "$step_pid" ]] || part_died "$(part_of "$ended")"
  step_pid=
  return "$status"
}

# Until a part dies; does not return.
watch_parts() {
  local ended
  check_parts
  wait -n -p ended "${part_pid[@]}" 2>/dev/null || true
  part_died "$(part_of "$ended")"
}

# `wait -n` notices the parts that die from here on: bash forgets one that died during another
# command. (What bash itself says of a killed child, part_died says better.)
check_parts() {
  local name
  for name in "${parts[@]}"; do
    kill -0 "${part_pid[$name]}" 2>/dev/null || part_died "$name"
  done
}

part_of() {
  local name
  for name in "${parts[@]}"; do
    [[ ${part_pid[$name]} != "$1" ]] || echo "$name"
  done
}

part_died() {
  local name=$1 status=0 how
  wait "${part_pid[$name]}" || status=$?
  how="exited with status $status"
  ((status <= 128)) || how="was ended by signal $(kill -l $((status - 128)))"
  show_log "$name"
  fail "$name $how"
}

show_log() {
  printf '\nThe last lines of %s:\n' "$LOG_DIR/$1.log" >&2
  tail -n 20 -- "$LOG_DIR/$1.log" | sed 's/^/  /' >&2
}

# Stops the step and then the parts, the last one started first.
stop_children() {
  local i name signal
  [[ -z $step_pid ]] || stop_child "$step_pid" TERM "$STEP_STOP_SECONDS"
  for ((i = ${#parts[@]} - 1; i >= 0; i--)); do
    name=${parts[i]}
    signal=TERM
    # On TERM, PostgreSQL waits until its clients have left.
    [[ $name != primary && $name != replica ]] || signal=INT
    stop_child "${part_pid[$name]}" "$signal" "$STOP_SECONDS" ||
      echo "$name did not end within $STOP_SECONDS s and was killed"
  done
}

# stop_child PID SIGNAL SECONDS: the signal goes to the whole group, which bears the child's pid.
stop_child() {
  local deadline=$((SECONDS + $3))
  kill -s "$2" -- "-$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      { kill -s KILL -- "-$1"; wait "$1"; } 2>/dev/null
      return 1
    fi
    sleep 0.05
  done
}
