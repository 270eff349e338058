/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What room.c, room_load.c and room_object.c share.
 */
#ifndef PROG_ROOM_INTERNAL_H
#define PROG_ROOM_INTERNAL_H

void room_make_region(void);
void room_reset_objects(void);

#endif
