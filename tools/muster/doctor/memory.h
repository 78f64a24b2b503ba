/* What `muster doctor` looks at in memory. */
#ifndef MUSTER_DOCTOR_MEMORY_H
#define MUSTER_DOCTOR_MEMORY_H

/* Looks at what the arena is made of, and at what limits it. */
void doctor_look_at_memory(void);

#endif
