# shellcheck shell=bash
# The agent, which makes the outbound calls: its configuration, start and stop. Here mails
# and other files go into folders, and the witness and the simulated payment provider are called and nobody else.

agent_configuration=$home/agent/agent.toml
agent_mail=$home/agent/mail  # one .eml file for each mail
agent_drop=$home/agent/drop  # aegis.register_destination('drop', 'drop:drop')
agent_record=$home/agent/pid

agent_pid() { cat "$agent_record" 2> /dev/null || true; }
agent_running() { running "$(agent_pid)" "$bin/aegis-agent"; }

write_agent_configuration() {
  as_agent mkdir -p "$agent_drop" "$agent_mail"
  as_agent chmod 0700 "$agent_mail"
  as_agent tee "$agent_configuration" > /dev/null << TOML
[database]
socket = "$socket"
name = "$database"
user = "outbound"

[log]
file = "$agent_log"

[mail]
folder = "$agent_mail"
from = "no-reply@localhost.example"

[[destination]]
url = "http://$(witness_address)"

[[destination]]
url = "$(provider_address)"
ca = "$provider_certificate"
networks = ["127.0.0.0/8"]

[[drop]]
name = "drop"
folder = "$agent_drop"
TOML
}

# What a running agent was started with.
agent_served() { { cat "$bin/aegis-agent"; as_agent cat "$agent_configuration"; } | sha256sum; }

start_agent() {
  local tries
  write_agent_configuration
  if agent_running; then
    if [ "$(agent_served)" = "$(cat "$home/agent.served" 2> /dev/null)" ]; then
      echo "the agent runs already"
      return
    fi
    stop_agent
  fi
  agent_served > "$home/agent.served"
  as_agent "$bin/aegis-agent" --check --config "$agent_configuration"
  # A session of its own, as the gateway.
  # shellcheck disable=SC2016 # its own arguments
  as_agent bash -c 'setsid "$1" --config "$2" >> "$3" 2>&1 < /dev/null & echo $! > "$4"' - \
    "$bin/aegis-agent" "$agent_configuration" "$agent_log" "$agent_record"
  for ((tries = 0; tries < 50; tries++)); do
    if agent_running; then return; fi
    sleep 0.1
  done
  as_agent tail -n 20 "$agent_log"
  fail "the agent did not start" "Its last lines are above; ./aegis logs agent shows all."
}

stop_agent() { stop_recorded "$agent_record" "$bin/aegis-agent"; }
