#include "stock/drift/inquiry.h"

#include <string>
#include <utility>

namespace stock::drift {

std::vector<Inquiry::Statement> Inquiry::ask(std::vector<domain::Key> keys,
                                             const std::vector<layers::Layer*>& layers,
                                             const clock::LocalClock& clock,
                                             std::chrono::nanoseconds patience,
                                             const std::stop_token& stop) {
  const std::shared_ptr<Inquiry> inquiry(new Inquiry(std::move(keys), layers.size(), clock));
  const domain::LocalTime deadline = clock.now() + patience;
  for (std::size_t i = 0; i < layers.size(); ++i) inquiry->send(*layers[i], i, deadline);
  return inquiry->wait(patience, stop);
}

Inquiry::Inquiry(std::vector<domain::Key> keys, std::size_t layers, const clock::LocalClock& clock)
    : keys_(std::move(keys)), clock_(clock), outstanding_(layers), statements_(layers) {
  for (Statement& statement : statements_) statement.answers.resize(keys_.size());
}

void Inquiry::send(layers::Layer& layer, std::size_t index, domain::LocalTime deadline) {
  Statement& statement = statements_[index];
  statement.sent = clock_.now();
  layer.read(keys_, statement.answers, {.deadline = deadline, .cancelled = &cancelled_},
             [self = shared_from_this(), index](const std::string&) { self->received(index); });
}

void Inquiry::received(std::size_t index) {
  const domain::LocalTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  statements_[index].answered = true;
  statements_[index].received = now;
  if (--outstanding_ == 0) changed_.notify_all();
}

std::vector<Inquiry::Statement> Inquiry::wait(std::chrono::nanoseconds patience,
                                              const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, patience, [this] { return outstanding_ == 0; });
  cancelled_ = true;
  std::vector<Statement> statements(statements_.size());
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (statements_[i].answered) statements[i] = std::move(statements_[i]);
  }
  return statements;
}

}  // namespace stock::drift
