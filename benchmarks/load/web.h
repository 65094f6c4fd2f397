/* web.h - what web.c asks and what both servers answer. */
#ifndef WEB_H
#define WEB_H

#define WEB_PATH "/api/services/order-service"
#define WEB_BODY "{\"service_name\":\"order-service\",\"description\":\"takes orders\",\"version\":\"1.4.2\",\"revision\":42}"

#endif
