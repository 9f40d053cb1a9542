#include "stockctl/cli/writing.h"

namespace stockctl {

void explain_repeating(Session& session, const absl::Status& status, const std::string& repeat) {
  const bool unknown = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  if (!unknown || session.json) return;
  session.err() << "It is not known whether this was applied. To be sure, repeat it with\n"
                << "  " << repeat << "\nwhich is applied once only.\n";
}

void print_outcome(std::ostream& out, bool replayed, const std::string& request_id,
                   const std::string& token) {
  if (replayed) out << "Applied already, by the same request; nothing was changed now.\n";
  out << "request " << request_id << '\n';
  if (!token.empty()) out << "token   " << token << '\n';
}

}  // namespace stockctl
