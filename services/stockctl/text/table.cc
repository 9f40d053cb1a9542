#include "stockctl/text/table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 6;

}  // namespace

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

void Table::note(std::string_view text, Style style) {
  notes_.emplace(rows_.size() - 1, Cell(printable(text), style));
}

std::vector<std::size_t> Table::widths(const Terminal& terminal) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].name);
    for (const std::vector<Cell>& row : rows_) width = std::max(width, width_of(row[i].text));
    widths.push_back(width);
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  };
  while (terminal.width > 0 && total() > terminal.width) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].shrinks || widths[i] <= kNarrowest) continue;
      if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

void Table::print(std::ostream& out, const Terminal& terminal) const {
  const std::vector<std::size_t> widths = this->widths(terminal);
  const auto print_row = [&](const std::vector<Cell>& row) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string text = fitted(row[i].text, widths[i]);
      const std::string padding(widths[i] - width_of(text), ' ');
      const bool right = columns_[i].align == Align::kRight;
      const bool last = i + 1 == columns_.size();
      if (right) line += padding;
      line += styled(text, row[i].style, terminal);
      if (!right && !last) line += padding;
      if (!last) line.append(kGap, ' ');
    }
    out << line << '\n';
  };
  std::vector<Cell> names;
  for (const Column& column : columns_) names.emplace_back(column.name, Style::kDim);
  print_row(names);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    print_row(rows_[i]);
    for (auto [note, end] = notes_.equal_range(i); note != end; ++note) {
      out << std::string(widths.front() + kGap, ' ')
          << styled(note->second.text, note->second.style, terminal) << '\n';
    }
  }
}

}  // namespace stockctl
