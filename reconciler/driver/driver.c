#include "reconciler/driver/driver.h"

void cb_driver_close(struct cb_driver *driver)
{
	if (driver)
		driver->ops->close(driver);
}
