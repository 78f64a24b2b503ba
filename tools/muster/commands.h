/* The subcommands of `muster`. Each takes the arguments after its name and returns the exit status. */
#ifndef MUSTER_COMMANDS_H
#define MUSTER_COMMANDS_H

#define EXIT_USAGE 2

int command_run(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_report(int argc, char **argv);
int command_top(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_tune(int argc, char **argv);

/* Says on stderr what was wrong and where help is; returns EXIT_USAGE. */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
