#include "stock/rpc/json_gateway.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <array>

namespace stock::rpc {
namespace {

namespace json = google::protobuf::util;

struct Code {
  const char* name;
  int http;
};

// By grpc::StatusCode.
constexpr std::array<Code, 17> kCodes = {{{"OK", 200},
                                          {"CANCELLED", 499},
                                          {"UNKNOWN", 500},
                                          {"INVALID_ARGUMENT", 400},
                                          {"DEADLINE_EXCEEDED", 504},
                                          {"NOT_FOUND", 404},
                                          {"ALREADY_EXISTS", 409},
                                          {"PERMISSION_DENIED", 403},
                                          {"RESOURCE_EXHAUSTED", 429},
                                          {"FAILED_PRECONDITION", 400},
                                          {"ABORTED", 409},
                                          {"OUT_OF_RANGE", 400},
                                          {"UNIMPLEMENTED", 501},
                                          {"INTERNAL", 500},
                                          {"UNAVAILABLE", 503},
                                          {"DATA_LOSS", 500},
                                          {"UNAUTHENTICATED", 401}}};

std::string to_json(const google::protobuf::Message& message) {
  json::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  return json::MessageToJsonString(message, &text, options).ok() ? text : "{}";
}

google::protobuf::Struct struct_of(const std::map<std::string, std::string>& fields) {
  google::protobuf::Struct object;
  for (const auto& [name, value] : fields) (*object.mutable_fields())[name].set_string_value(value);
  return object;
}

JsonGateway::Answer failure(grpc::StatusCode status, const std::string& message) {
  const auto number = static_cast<std::size_t>(status);
  const Code& code = number < kCodes.size() ? kCodes[number] : kCodes[grpc::StatusCode::UNKNOWN];
  return {.status = code.http,
          .json = to_json(struct_of({{"code", code.name}, {"message", message}}))};
}

}  // namespace

template <typename Request, typename Response>
JsonGateway::Answer JsonGateway::call(const std::string& json,
                                      grpc::Status (v1::DriftService::Stub::*method)(
                                          grpc::ClientContext*, const Request&, Response*)) {
  Request request;
  const auto parsed = json::JsonStringToMessage(json, &request);
  if (!parsed.ok()) {
    return failure(grpc::StatusCode::INVALID_ARGUMENT, std::string(parsed.message()));
  }
  grpc::ClientContext context;
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
  context.set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout, GPR_TIMESPAN)));
  if (!begin(context)) {
    return failure(grpc::StatusCode::UNAVAILABLE, "this program is stopping");
  }
  Response response;
  const grpc::Status status = (*stub_.*method)(&context, request, &response);
  end(context);
  if (!status.ok()) return failure(status.error_code(), status.error_message());
  return {.status = 200, .json = to_json(response)};
}

JsonGateway::Answer JsonGateway::ask(const std::string& method,
                                     const std::map<std::string, std::string>& fields) {
  using Stub = v1::DriftService::Stub;
  const std::string request = to_json(struct_of(fields));
  if (method == "ListLayers") return call(request, &Stub::ListLayers);
  if (method == "ListIncidents") return call(request, &Stub::ListIncidents);
  if (method == "ListForks") return call(request, &Stub::ListForks);
  if (method == "ExplainStockLevel") return call(request, &Stub::ExplainStockLevel);
  return failure(grpc::StatusCode::NOT_FOUND, "there is no such method");
}

JsonGateway::Answer JsonGateway::change(const std::string& method, const std::string& request) {
  using Stub = v1::DriftService::Stub;
  if (method == "UpdateLayer") return call(request, &Stub::UpdateLayer);
  if (method == "RepairStockLevel") return call(request, &Stub::RepairStockLevel);
  return failure(grpc::StatusCode::NOT_FOUND, "there is no such method");
}

bool JsonGateway::begin(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  if (!closed_) under_way_.insert(&context);
  return !closed_;
}

void JsonGateway::end(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  under_way_.erase(&context);
  ended_.notify_all();
}

void JsonGateway::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : under_way_) context->TryCancel();
  ended_.wait(lock, [this] { return under_way_.empty(); });
}

}  // namespace stock::rpc
