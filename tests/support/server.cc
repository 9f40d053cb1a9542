#include "support/server.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/eventually.h"
#include "support/free_port.h"

namespace stock::support {

void Server::start_first(Recipe recipe) {
  recipe_ = std::move(recipe);
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    port_ = free_port();
    launch();
    if (await_ready()) {
      return;
    }
    if (attempt == kAttempts || !process_->log_contains("ddress already in use")) {
      throw std::runtime_error(
          fmt::format("{} did not start: {}", recipe_.name, process_->log_tail()));
    }
  }
}

void Server::start() {
  launch();
  if (!await_ready()) {
    throw std::runtime_error(
        fmt::format("{} did not start again: {}", recipe_.name, process_->log_tail()));
  }
}

int Server::stop() { return process_->stop(recipe_.stop_signal); }

void Server::kill9() {
  process_->signal_tree(SIGKILL);
  process_->wait(kGenerous);
}

void Server::launch() {
  process_ = std::make_unique<Process>(Process::Options{.command = recipe_.command(port_),
                                                        .log = dir() / (recipe_.name + ".log"),
                                                        .environment = recipe_.environment});
}

bool Server::await_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kGenerous;
  while (process_->running() && std::chrono::steady_clock::now() < deadline) {
    if (recipe_.ready(port_)) {
      return process_->running();  // and not somebody else on the port
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

}  // namespace stock::support
