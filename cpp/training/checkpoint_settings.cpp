#include "training/checkpoint_settings.h"

#include <algorithm>

#include "base/number.h"
#include "network/description.h"

namespace swav {
namespace {

// Settings that came after the first files, and what was done before. Whoever adds a setting that changes training adds a row.
struct Since {
  const char* name;
  const char* before;
};
constexpr Since added[] = {{"direct", "0"}, {"plain_head", "0"}, {"norm_images", "0"}, {"bfloat16", "0"}};

bool same(const std::string& a, const std::string& b) {
  const std::optional<float> x = number_of<float>(a), y = number_of<float>(b);
  return a == b || (x && y && *x == *y);
}

}  // namespace

Settings settings_of(const swav_network_config& n, const TrainerSettings& t, const std::vector<Setting>& objective) {
  const OptimizerConfig& o = t.optimizer;
  Settings s = {{"architecture", architecture_name(n)},
                {"stem", text_of(int(n.stem))},
                {"channels", text_of(n.channels)},
                {"hidden", text_of(n.hidden)},
                {"plain_head", text_of(int(n.plain_head))},
                {"dim", text_of(n.dim)},
                {"batch", text_of(t.batch)},
                {"optimizer", text_of(int(o.rule))},
                {"momentum", text_of(o.momentum)},
                {"trust", text_of(o.trust)},
                {"beta1", text_of(o.beta1)},
                {"beta2", text_of(o.beta2)},
                {"adam_epsilon", text_of(o.epsilon)},
                {"weight_decay", text_of(o.weight_decay)},
                {"direct", text_of(int(t.direct))},
                {"bfloat16", text_of(int(t.storage == Storage::bfloat16))}};
  for (int32_t h = 0; h < n.head_count; ++h) s["prototypes" + text_of(h)] = text_of(n.prototypes[h]);
  for (size_t g = 0; g < t.groups.size(); ++g) {
    s["crop_count" + text_of(g)] = text_of(t.groups[g].count);
    s["crop_size" + text_of(g)] = text_of(t.groups[g].size);
  }
  for (const Setting& setting : objective) s[setting.name] = text_of(float(setting.value));
  return s;
}

std::string difference(const Settings& file, const Settings& run) {
  Settings theirs = file, ours = run;
  for (const Since& row : added) theirs.emplace(row.name, row.before);
  for (const auto& row : theirs) ours.emplace(row.first, "none");
  std::string list;
  for (const auto& [name, value] : ours) {
    const std::string& stored = theirs.emplace(name, "none").first->second;
    if (!same(stored, value)) list += (list.empty() ? "" : "; ") + name + ": file has " + stored + ", this run has " + value;
  }
  return list;
}

Settings parse_old_settings(const std::string& text) {
  Settings rows;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size()), space = std::min(text.find(' ', at), end);
    rows[text.substr(at, space - at)] = text.substr(std::min(space + 1, end), end - std::min(space + 1, end));
    at = end + 1;
  }
  return rows;
}

}  // namespace swav
