// How fresh a read has to be, from its Consistency; and tokens, from their text to what the read
// path can check.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "stock/domain/freshness.h"
#include "stock/layers/layer.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/token.h"
#include "stock/v1/level.pb.h"

namespace stock::rpc {

// Which requirements a method can meet besides those of freshness.
enum class Takes {
  kPresent,  // none: it reads what is
  kPast,     // a past instant
  kVersion,  // that, or a version
};

struct Freshness {
  domain::Requirement requirement;
  // Has to be settled before it can be a part of the requirement.
  std::optional<Token> token;
  // Instead: what was, by instant or by version.
  std::optional<layers::PastQuery> past;
};

// What is wrong with the message, if something is. `bound` is that of reads which name none.
std::optional<Failure> from_proto(const v1::Consistency& message, std::chrono::microseconds bound,
                                  Takes takes, Freshness& out);

struct Settled {
  std::optional<Failure> wrong;
  std::optional<domain::Transaction> write;  // that the answer has to show
};

// Which transaction of the ledger's current incarnation a token stands for. One of this incarnation
// is taken at its word, since the read will find out; for another one the ledger is asked whether
// it still holds the request. `then` is called exactly once, perhaps before this returns, or from
// any thread. Failures: TOKEN_OF_ANOTHER_LEDGER, WRITE_LOST, HISTORY_PRUNED (it may have been held
// once), or that nobody can be asked.
void settle(const Rooms& rooms, const Token& token, const layers::ReadContext& context,
            absl::AnyInvocable<void(Settled)> then);

// Calls `go` with the whole requirement, once the token, if there is one, is settled; or finishes
// the call with what is wrong.
template <typename Call, typename Go>
void when_settled(const Rooms& rooms, Call& call, Freshness freshness, Go go) {
  if (!freshness.token) return go(std::move(freshness.requirement));
  settle(rooms, *freshness.token, call.read_context(),
         [&call, requirement = std::move(freshness.requirement),
          go = std::move(go)](Settled settled) mutable {
           if (settled.wrong) return call.finish(to_status(*settled.wrong));
           requirement.at_least = settled.write;
           go(std::move(requirement));
         });
}

}  // namespace stock::rpc
