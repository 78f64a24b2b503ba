// The process that something was made in. A forked child has it as well, but not the threads of its parent:
// what they hold or have under way stays so in the child.
#pragma once

namespace muster_torch
{

class Process
{
  public:
    Process();

    bool is_here() const;

    // Throws in a child.
    void check() const;

  private:
    const int forks_;
};

} // namespace muster_torch
