#include "support/fake_testimony_server.h"

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <stdexcept>
#include <utility>

#include "stock/clock/wall_clock.h"
#include "stock/v1/drift_service.grpc.pb.h"

namespace stock::support {

struct FakeTestimonyServer::Parts final : v1::DriftService::Service {
  grpc::Status SubmitTestimonies(grpc::ServerContext*, const v1::SubmitTestimoniesRequest* request,
                                 v1::SubmitTestimoniesResponse* response) override {
    const double now = clock::wall_seconds() + static_cast<double>(ahead.count());
    for (const v1::Testimony& testimony : request->testimonies()) {
      v1::Finding& finding = *response->add_judged()->mutable_finding();
      finding.set_verdict(judge(testimony));
      v1::Statement& statement = *finding.mutable_statement();
      *statement.mutable_testimony() = testimony;
      statement.mutable_asked_after()->set_seconds(static_cast<std::int64_t>(now));
      statement.mutable_asked_before()->set_seconds(static_cast<std::int64_t>(now) + 1);
    }
    const std::lock_guard lock(mutex);
    heard.push_back(*request);
    return grpc::Status::OK;
  }

  std::function<v1::Verdict(const v1::Testimony&)> judge;
  std::chrono::seconds ahead{0};
  std::mutex mutex;
  std::vector<v1::SubmitTestimoniesRequest> heard;  // guarded by mutex
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

FakeTestimonyServer::FakeTestimonyServer(std::function<v1::Verdict(const v1::Testimony&)> judge,
                                         std::chrono::seconds ahead)
    : parts_(std::make_unique<Parts>()) {
  parts_->judge = std::move(judge);
  parts_->ahead = ahead;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &parts_->port);
  builder.RegisterService(parts_.get());
  parts_->server = builder.BuildAndStart();
  if (!parts_->server) throw std::runtime_error("cannot listen");
}

FakeTestimonyServer::~FakeTestimonyServer() { parts_->server->Shutdown(); }

std::string FakeTestimonyServer::address() const {
  return "127.0.0.1:" + std::to_string(parts_->port);
}

std::vector<v1::SubmitTestimoniesRequest> FakeTestimonyServer::heard() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->heard;
}

}  // namespace stock::support
