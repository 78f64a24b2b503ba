/* page.html as a string, made by the build. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

extern const char server_page[];

#endif
