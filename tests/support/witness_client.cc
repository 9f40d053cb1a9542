#include "support/witness_client.h"

#include <grpcpp/grpcpp.h>

#include "google/rpc/status.pb.h"
#include "stock/v1/drift_service.grpc.pb.h"

namespace stock::support {
namespace {

WitnessClient::Heard ended(const grpc::Status& status) {
  WitnessClient::Heard heard{.code = status.error_code(), .message = status.error_message()};
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    heard.retry_told = heard.retry_told || detail.Is<google::rpc::RetryInfo>();
  }
  return heard;
}

}  // namespace

struct WitnessClient::Stub {
  std::unique_ptr<v1::DriftService::Stub> stub;
};

WitnessClient::WitnessClient(const std::string& address)
    : stub_(std::make_unique<Stub>(Stub{v1::DriftService::NewStub(
          grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))})) {}

WitnessClient::~WitnessClient() = default;

WitnessClient::Heard WitnessClient::submit(const v1::SubmitTestimoniesRequest& request,
                                           std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::SubmitTestimoniesResponse response;
  Heard heard = ended(stub_->stub->SubmitTestimonies(&context, request, &response));
  heard.response = std::move(response);
  return heard;
}

WitnessClient::Heard WitnessClient::submit(const v1::Testimony& testimony) {
  v1::SubmitTestimoniesRequest request;
  *request.add_testimonies() = testimony;
  return submit(request);
}

WitnessClient::Heard WitnessClient::stream(
    const std::vector<v1::SubmitTestimoniesRequest>& requests,
    std::vector<v1::SubmitTestimoniesResponse>& answers) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto stream = stub_->stub->StreamTestimonies(&context);
  for (const v1::SubmitTestimoniesRequest& request : requests) {
    v1::StreamTestimoniesRequest message;
    *message.mutable_request() = request;
    v1::StreamTestimoniesResponse answer;
    if (!stream->Write(message) || !stream->Read(&answer)) break;
    answers.push_back(answer.response());
  }
  stream->WritesDone();
  return ended(stream->Finish());
}

}  // namespace stock::support
