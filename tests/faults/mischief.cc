#include "faults/mischief.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace stock::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostAtATime = 3;

void nothing() {}

}  // namespace

Mischief::Mischief(FaultWorld& world, std::uint64_t seed, bool honest)
    : world_(world), chance_(seed) {
  add_for_servers();
  if (!honest) add_copies();
  for (std::size_t i = 0; i < world.members.size(); ++i) add_for_member(i);
}

void Mischief::add_for_servers() {
  auto& redis = *world_.redis;
  faults_.push_back({"redis killed", "redis", [&] { redis.kill9(); }, [&] { redis.start(); }});
  faults_.push_back({"redis silent", "redis", [&] { redis.sigstop(); }, [&] { redis.sigcont(); }});
  faults_.push_back({"redis flushed", "redis", [&] { redis.command({"FLUSHALL"}); }, nothing});
  faults_.push_back({"redis evicts", "redis",
                     [&] { Hoarder(redis.port()).limit_memory("allkeys-random"); },
                     [&] { Hoarder(redis.port()).lift_limit(); }});
  faults_.push_back({"redis is full", "redis",
                     [&] { Hoarder(redis.port()).limit_memory("noeviction"); },
                     [&] { Hoarder(redis.port()).lift_limit(); }});

  auto& primary = *world_.primary;
  faults_.push_back(
      {"primary killed", "primary", [&] { primary.kill9(); }, [&] { primary.start(); }});
  faults_.push_back(
      {"primary stopped", "primary", [&] { primary.stop(); }, [&] { primary.start(); }});
  faults_.push_back(
      {"primary silent", "primary", [&] { primary.sigstop(); }, [&] { primary.sigcont(); }});
  faults_.push_back({"vacuum", "primary",
                     [&] {
                       primary.connect().exec("VACUUM FREEZE stock.movement");
                       primary.connect().exec("VACUUM FREEZE stock.level");
                     },
                     nothing});

  auto& replica = *world_.replica;
  faults_.push_back({"replay paused", "replica",
                     [&] { replica.connect().exec("SELECT pg_wal_replay_pause()"); },
                     [&] { replica.connect().exec("SELECT pg_wal_replay_resume()"); }});
  faults_.push_back(
      {"replica killed", "replica", [&] { replica.kill9(); }, [&] { replica.start(); }});
  faults_.push_back(
      {"replica silent", "replica", [&] { replica.sigstop(); }, [&] { replica.sigcont(); }});
  auto& replication = *world_.replication;
  faults_.push_back({"replication stalled", "replication", [&] { replication.stall(); },
                     [&] { replication.open(); }});
  faults_.push_back(
      {"replication cut", "replication", [&] { replication.cut(); }, [&] { replication.open(); }});
  faults_.push_back({"replication slow", "replication", [&] { replication.delay(80ms); },
                     [&] { replication.open(); }});
}

void Mischief::add_copies() {
  faults_.push_back({"old copies", "redis", [&] { old_copies(); }, [&] { old_copies(); }});
  faults_.push_back({"copies under other names", "redis", [&] { misnamed_copies(); }, nothing});
}

void Mischief::add_for_member(std::size_t number) {
  Member& member = world_.members[number];
  const std::string process = fmt::format("stockd {}", number);
  auto& stockd = *member.stockd;
  faults_.push_back(
      {process + " silent", process, [&] { stockd.sigstop(); }, [&] { stockd.sigcont(); }});
  faults_.push_back(
      {process + " killed", process, [&] { stockd.kill9(); }, [&] { stockd.start(); }});
  const auto add_for_line = [&](const std::string& name, support::TcpGate& gate) {
    const std::string line = fmt::format("{} to {}", process, name);
    const auto open = [&gate] { gate.open(); };
    faults_.push_back({line + " slow", line, [&gate] { gate.delay(10ms); }, open});
    faults_.push_back({line + " very slow", line, [&gate] { gate.delay(1500ms); }, open});
    faults_.push_back({line + " stalled", line, [&gate] { gate.stall(); }, open});
    faults_.push_back({line + " cut", line, [&gate] { gate.cut(); }, open});
    faults_.push_back({line + " reset", line, [&gate] { gate.reset_connections(); }, nothing});
    faults_.push_back({line + " breaks off", line,
                       [this, &gate] { gate.break_replies(500 + chance_() % 8000); }, open});
  };
  add_for_line("redis", *member.redis);
  add_for_line("primary", *member.primary);
  add_for_line("replica", *member.replica);

  support::TcpGate& gate = *member.primary;
  const auto lead_to = [&gate](const support::Server& server) {
    gate.point_to(server.port());
    gate.reset_connections();
  };
  faults_.push_back({process + " takes the replica for the primary",
                     fmt::format("{} to primary", process),
                     [this, lead_to] { lead_to(*world_.replica); },
                     [this, lead_to] { lead_to(*world_.primary); }});
}

// Takes what is there, and puts back what was there at some time, also before a restart of Redis.
void Mischief::old_copies() {
  try {
    if (!hoarder_) hoarder_.emplace(world_.redis->port());
    hoarder_->take();
    hoarder_->put_back_any(chance_());
  } catch (const std::runtime_error&) {
    hoarder_.reset();  // its connection is from before a restart
  }
}

// Of another key, or of another incarnation.
void Mischief::misnamed_copies() {
  try {
    Hoarder hoarder(world_.redis->port());
    hoarder.take();
    hoarder.put_back_under_other_names(chance_());
  } catch (const std::runtime_error&) {
    // Redis is at its limit.
  }
}

void Mischief::step() {
  const bool end = !under_way_.empty() && (under_way_.size() >= kMostAtATime || chance_() % 2 == 0);
  if (end) {
    const auto it = under_way_.begin() + static_cast<std::ptrdiff_t>(chance_() % under_way_.size());
    (*it)->end();
    broken_.erase((*it)->part);
    under_way_.erase(it);
    return;
  }
  const Fault& fault = faults_[chance_() % faults_.size()];
  if (broken_.contains(fault.part)) return;
  fault.begin();
  ++begun_[fault.name];
  ++broken_[fault.part];
  under_way_.push_back(&fault);
}

void Mischief::heal() {
  for (const Fault* fault : under_way_) fault->end();
  under_way_.clear();
  broken_.clear();
}

}  // namespace stock::faults
