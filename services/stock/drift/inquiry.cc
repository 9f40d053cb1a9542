#include "stock/drift/inquiry.h"

#include <string>
#include <utility>

namespace stock::drift {

std::shared_ptr<Inquiry> Inquiry::send(std::vector<domain::Key> keys,
                                       const std::vector<layers::Layer*>& layers,
                                       const clock::LocalClock& clock,
                                       std::chrono::nanoseconds patience,
                                       std::optional<Made> made) {
  const std::size_t asked_already = made ? made->layer : layers.size();
  std::shared_ptr<Inquiry> inquiry(
      new Inquiry(std::move(keys), layers.size(), clock, patience, std::move(made)));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i != asked_already) inquiry->ask(*layers[i], i);
  }
  return inquiry;
}

Inquiry::Inquiry(std::vector<domain::Key> keys, std::size_t layers, const clock::LocalClock& clock,
                 std::chrono::nanoseconds patience, std::optional<Made> made)
    : keys_(std::move(keys)),
      clock_(clock),
      deadline_(clock.now() + patience),
      outstanding_(made ? layers - 1 : layers),
      statements_(layers) {
  for (Statement& statement : statements_) statement.answers.resize(keys_.size());
  if (made) statements_[made->layer] = std::move(made->statement);
}

void Inquiry::ask(layers::Layer& layer, std::size_t index) {
  Statement& statement = statements_[index];
  statement.sent = clock_.now();
  layer.read(keys_, statement.answers, {.deadline = deadline_, .cancelled = &cancelled_},
             [self = shared_from_this(), index](std::string detail) {
               self->received(index, std::move(detail));
             });
}

void Inquiry::received(std::size_t index, std::string detail) {
  const domain::LocalTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  statements_[index].answered = true;
  statements_[index].received = now;
  statements_[index].detail = std::move(detail);
  if (--outstanding_ == 0) changed_.notify_all();
}

std::vector<Inquiry::Statement> Inquiry::wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, deadline_ - clock_.now(), [this] { return outstanding_ == 0; });
  cancelled_ = true;
  std::vector<Statement> statements(statements_.size());
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (statements_[i].answered) statements[i] = std::move(statements_[i]);
  }
  return statements;
}

}  // namespace stock::drift
