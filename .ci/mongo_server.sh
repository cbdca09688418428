# shellcheck shell=bash
# A real MongoDB-protocol server for the live tests: FerretDB with SQLite where Go can install it, else
# mongo-java-server where Maven can. Source it; start_mongo_server exports RIS_TEST_MONGO_URL or says in one
# line each why it could not; stop_mongo_server ends what was started.

FERRETDB=github.com/FerretDB/FerretDB/cmd/ferretdb@v1.24.2
MONGO_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/ris-ci"
MONGO_PATIENCE=300
MONGO_PID=
MONGO_HOME=

start_mongo_server() {
  mkdir -p "$MONGO_CACHE"
  MONGO_HOME=$(mktemp -d)
  local port
  if _start_ferretdb || _start_mongo_java_server; then
    export RIS_TEST_MONGO_URL="mongodb://127.0.0.1:$port/ris_test"
    return 0
  fi
  echo "No MongoDB server could be had: the live tests will be skipped."
  return 1
}

stop_mongo_server() {
  if [ -n "$MONGO_PID" ]; then
    kill "$MONGO_PID" 2>/dev/null || true
    wait "$MONGO_PID" 2>/dev/null || true
  fi
  if [ -n "$MONGO_HOME" ]; then rm -rf "$MONGO_HOME"; fi
  MONGO_PID='' MONGO_HOME=''
}

_start_ferretdb() {
  command -v go >/dev/null || { echo "FerretDB: there is no Go toolchain."; return 1; }
  if [ ! -x "$MONGO_CACHE/ferretdb" ]; then
    GOBIN="$MONGO_CACHE" timeout "$MONGO_PATIENCE" go install "$FERRETDB" >"$MONGO_HOME/install.log" 2>&1 ||
      { _could_not "FerretDB: go install failed" "$MONGO_HOME/install.log"; return 1; }
  fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$MONGO_CACHE/ferretdb" --handler=sqlite --sqlite-url="file:$MONGO_HOME/" --state-dir="$MONGO_HOME" \
    --listen-addr="127.0.0.1:$port" --debug-addr=- --telemetry=disable >"$MONGO_HOME/server.log" 2>&1 &
  MONGO_PID=$!
  _await_port && echo "Live tests run against FerretDB on port $port."
}

_start_mongo_java_server() {
  local tool class_path="$MONGO_HOME/classpath"
  for tool in java mvn; do
    command -v "$tool" >/dev/null || { echo "mongo-java-server: there is no $tool."; return 1; }
  done
  timeout "$MONGO_PATIENCE" mvn -q -B -f "$(dirname "${BASH_SOURCE[0]}")/mongo-java-server.xml" \
    dependency:build-classpath -Dmdep.outputFile="$class_path" >"$MONGO_HOME/install.log" 2>&1 ||
    { _could_not "mongo-java-server: mvn failed" "$MONGO_HOME/install.log"; return 1; }
  java -Xmx1g -cp "$(cat "$class_path")" "$(dirname "${BASH_SOURCE[0]}")/MongoServerForTests.java" \
    >"$MONGO_HOME/port" 2>"$MONGO_HOME/server.log" &
  MONGO_PID=$!
  local tries
  for tries in $(seq 60); do
    if port=$(grep -m1 -x '[0-9][0-9]*' "$MONGO_HOME/port"); then break; fi
    kill -0 "$MONGO_PID" 2>/dev/null || break
    sleep 0.5
  done
  if [ -z "$port" ]; then
    _could_not "mongo-java-server: it gave no port in $((tries / 2)) s" "$MONGO_HOME/server.log"
    return 1
  fi
  _await_port && echo "Live tests run against mongo-java-server on port $port."
}

_await_port() {
  local _
  for _ in $(seq 60); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    kill -0 "$MONGO_PID" 2>/dev/null || break
    sleep 0.5
  done
  _could_not "The server does not answer" "$MONGO_HOME/server.log"
  kill "$MONGO_PID" 2>/dev/null || true
  MONGO_PID=''
  return 1
}

# What failed, and the last line of its log that says why.
_could_not() {
  echo "$1 ($(grep -v '^[[:space:]]*$' "$2" | tail -n 1 | cut -c1-200))."
}
